"""The four pictures of a study of language models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lib_graph.support.arguments import checked
from queries.pictures.figures import INK, OTHER, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from queries.comparing.study_tables import Study

__all__ = ["PICTURES", "study_pictures"]

FONT = 8
REACHED = "reached "


@checked
def study_pictures(study: Study) -> Mapping[str, Figure]:
    """Return the pictures by name, those for which something was asked: sparsity, required,
    modularity and probes.
    """
    frames = {"required": study.required, "modularity": study.modules}
    return {
        name: draw(study) for name, draw in PICTURES.items() if len(frames.get(name, study.scores))
    }


def _sparsity(study: Study) -> Figure:
    """Draw which part of the strength which share of the strongest pairs has."""
    rows = study.sparsity[study.sparsity["measure"].str.startswith(REACHED)]
    figure, places = _panels(rows["network"])
    for (network, own), axes in zip(rows.groupby("network", sort=False), places, strict=True):
        for basis, curve in own.groupby("basis", sort=False):
            shares = curve["measure"].str.removeprefix(REACHED).astype(float)
            axes.plot(shares, curve["value"], **_style(str(basis)), label=str(basis))
        axes.set(xscale="log", ylim=(0, 1))
        axes.set_xlabel("share of the pairs, the strongest", fontsize=FONT)
        _finish(axes, str(network), "part of the strength, mean of the sections")
    return figure


def _required(study: Study) -> Figure:
    """Draw the share of the pairs that each section needs at the largest δ, in their order."""
    every = study.required
    rows = every[(every["kind"] == "section") & (every["delta"] == every["delta"].max())]
    figure, places = _panels(rows["network"])
    for (network, own), axes in zip(rows.groupby("network", sort=False), places, strict=True):
        for basis, curve in own.groupby("basis", sort=False):
            axes.plot(curve["layer"], curve["share"], **_style(str(basis)), label=str(basis))
        axes.set(yscale="log")
        axes.tick_params(axis="x", rotation=90)
        _finish(axes, str(network), "edges required / pairs")
    return figure


def _modularity(study: Study) -> Figure:
    """Draw Q beside the Q of graphs without modules, with their deviation."""
    rows = study.modules[study.modules["weights"] == "sqrt"]
    figure, places = _panels(rows["network"])
    for (network, own), axes in zip(rows.groupby("network", sort=False), places, strict=True):
        at = np.arange(len(own))
        axes.plot(at, own["modularity"], "o", color=PALETTE[0], label="Q")
        axes.errorbar(
            at, own["null_mean"], 2 * own["null_sd"].fillna(0.0), fmt="_", color=OTHER,
            capsize=4, label="without modules, ± 2 sd",
        )  # fmt: skip
        axes.set_xticks(at, own["basis"], rotation=45, ha="right")
        _finish(axes, str(network), "modularity, weights √strength")
    return figure


def _probes(study: Study) -> Figure:
    """Draw what bases differ by from PCA, exact and as one probe a sequence shows it."""
    rows = study.contrasts[study.contrasts["measure"] == "sources"]
    figure, places = _panels(rows["network"])
    for (network, own), axes in zip(rows.groupby("network", sort=False), places, strict=True):
        for shift, (how, bars) in zip((-0.1, 0.1), own.groupby("how"), strict=True):
            at, colour = np.arange(len(bars)) + shift, PALETTE[0 if how == "exact" else 1]
            axes.plot(at, bars["value"], "o", color=colour, label=str(how))
            axes.vlines(at, bars["low"], bars["high"], color=colour)  # may lie beside the value
        axes.axhline(1.0, color=OTHER, linewidth=0.8)
        axes.set_xticks(np.arange(len(bars)), bars["basis"], rotation=45, ha="right")
        _finish(axes, str(network), "effective sources of a target / those of PCA")
    return figure


def _panels(networks: pd.Series[Any]) -> tuple[Figure, list[Axes]]:
    """Return a figure with a panel for each network."""
    from matplotlib.figure import Figure

    count = networks.nunique()
    figure = Figure(figsize=(4.6 * count, 3.6), layout="constrained")
    return figure, [figure.add_subplot(1, count, n + 1) for n in range(count)]


def _style(basis: str) -> dict[str, Any]:
    """Return one colour for each basis, the same in all pictures; seeds share theirs."""
    order = ("lib", "pca", "neuron", "random", "global", "dictionary")
    kind = basis.split()[0].split("-")[0]
    colour = PALETTE[order.index(kind)] if kind in order else OTHER
    return {"color": colour, "linewidth": 0.8 if " " in basis else 1.6}


def _finish(axes: Axes, title: str, quantity: str) -> None:
    axes.set_ylabel(quantity, fontsize=FONT)
    axes.set_title(title, fontsize=9, loc="left", color=INK, parse_math=False)
    axes.tick_params(labelsize=FONT)
    axes.legend(fontsize=FONT, frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


PICTURES: Mapping[str, Callable[[Study], Figure]] = {
    "sparsity": _sparsity,
    "required": _required,
    "modularity": _modularity,
    "probes": _probes,
}
