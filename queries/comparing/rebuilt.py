"""Dictionaries against bases with as few features as rebuild as much of each layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lib_graph.run import Run
from lib_graph.support.sparsity import Floats, mean_known
from lib_graph.support.tables import Record
from queries.comparing.intervals import ratio_interval
from queries.comparing.sparsity import section_sparsity

__all__ = ["enough", "equal_counts", "rebuilt_rows"]

MEASURES = ("for_90", "effective", "sources")
REBUILT = (
    "network", "dictionary", "basis", "features", "explained", *MEASURES, "sources_of_all", "ratio",
    "low", "high",
)  # fmt: skip


def equal_counts(told: Mapping[str, pd.DataFrame], dictionary: str) -> dict[str, dict[str, int]]:
    """Return how many features of each layer are held against all of a dictionary's, by basis.

    They are the first by importance that rebuild as much; `told` has, by what the basis is called,
    the shares that the first n features rebuild. Of the dictionary itself it is all of them.
    """
    wanted = {layer: known[-1] for layer, known in _by_layer(told[dictionary]).items()}
    counts = {
        basis: {layer: enough(known, wanted[layer]) for layer, known in _by_layer(frame).items()}
        for basis, frame in told.items()
    }
    whole = {layer: len(known) for layer, known in _by_layer(told[dictionary]).items()}
    return counts | {dictionary: whole}


def rebuilt_rows(
    network: str,
    runs: Mapping[str, Run],
    told: Mapping[str, pd.DataFrame],
    beside: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """Return how sparse each dictionary is, and each basis at equal reconstruction (docs §18).

    `beside` has, for each dictionary, rows basis, layer, measure, draw, value: MEASURES of it and
    of the bases, among the features of `equal_counts`, all of the same samples. features,
    explained: means over layers; the measures: over sections; sources_of_all: of a basis, those of
    all samples; ratio, with its interval: the dictionary's sources by the basis's, the geometric
    mean over sections.
    """
    rows: list[Record] = []
    for name, frame in beside.items():
        counts = equal_counts(told, name)
        own = _draws(frame, name)
        for basis in frame["basis"].unique():
            known = _by_layer(told[basis])
            first = frame[(frame["basis"] == basis) & (frame["draw"] == 0)]
            means = first.groupby("measure")["value"].mean()
            some = counts[basis]
            rows.append(
                {
                    "network": network, "dictionary": name, "basis": basis,
                    "features": float(np.mean(list(some.values()))),
                    "explained": float(np.mean([known[x][n - 1] for x, n in some.items()])),
                    **{measure: float(means[measure]) for measure in MEASURES},
                    "sources_of_all": None if basis == name else _sources(runs[basis], some),
                    **_ratio(own, _draws(frame, basis)),
                }
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(REBUILT))


def enough(explained: Floats, wanted: float) -> int:
    """Return how many of the first features tell as much as is wanted; all if none do.

    >>> enough(np.array([0.5, 0.8, 1.0]), 0.8), enough(np.array([0.5, 0.6]), 0.8)
    (2, 2)
    """
    reached = np.flatnonzero(explained >= wanted)
    return int(reached[0]) + 1 if len(reached) else len(explained)


def _by_layer(frame: pd.DataFrame) -> dict[str, Floats]:
    """Return the shares that the first n features rebuild, n = 1 to all, by layer."""
    return {
        str(layer): own.sort_values("features")["explained"].to_numpy()
        for layer, own in frame.groupby("layer", sort=False)
    }


def _draws(frame: pd.DataFrame, basis: str) -> Floats:
    """Return the sources of a basis: draws × layers."""
    rows = frame[(frame["basis"] == basis) & (frame["measure"] == "sources")]
    table: Floats = rows.pivot(index="draw", columns="layer", values="value").to_numpy()
    return table


def _ratio(own: Floats, other: Floats) -> Record:
    """Return what a dictionary has times as many, with its interval over draws."""
    found = ratio_interval(mean_known(np.log(own / other)))
    return {"ratio": found["value"], "low": found["low"], "high": found["high"]}


def _sources(run: Run, counts: Mapping[str, int]) -> float:
    """Return the mean over sections of the effective sources, among so many features each."""
    features = run.features[run.features["role"] != "constant"]
    among = {
        str(layer): pd.Index(
            own.sort_values("importance", ascending=False, kind="stable")["index"].iloc[
                : counts.get(str(layer))
            ]
        )
        for layer, own in features.groupby("layer", sort=False)
    }
    layers = [layer.name for layer in run.layers]
    found = [
        section_sparsity(section, among[source], among[target])[1].sources
        for source, target, section in zip(layers, layers[1:], run.sections(), strict=False)
    ]
    return float(np.mean([number for number in found if number is not None]))
