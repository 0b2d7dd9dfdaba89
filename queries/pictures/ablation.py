"""The picture of ablations: the score against how much of a layer or section is kept."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from lib_graph.errors import UsageError
from queries.pictures.figures import INK, OTHER, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from queries.asking.ablations import Ablations

__all__ = ["draw_ablations"]

FONT = 8
ACROSS = 4  # panels in a row
PANEL = (2.7, 2.15)  # inches


class _Kind(NamedTuple):
    """The column that counts what is kept, and what the axis says."""

    counted: str
    text: str


KINDS = {
    "node_curve": _Kind("nodes", "features kept of {}"),
    "edge_curve": _Kind("edges", "interactions kept out of {}"),
}
LINES: tuple[tuple[Any, str, str], ...] = (  # of each basis
    ("-", PALETTE[0], "o"), ("--", PALETTE[1], "s"), ("-.", PALETTE[2], "^"),
)  # fmt: skip
RING: dict[str, Any] = {
    "marker": "o", "markersize": 9, "fillstyle": "none", "linestyle": "none",
}  # fmt: skip
RANDOM = (0, (1, 1.5))


def draw_ablations(ablations: Ablations, *, title: str = "") -> Figure:
    """Return the curves of ablations: a panel for each layer's features and section's interactions.

    The score is against the number kept, on a log axis; the constant feature counts. Each basis has
    a colour, a line and a mark of its own. Dotted: as many features or interactions at random.
    Grey: the score of the whole network. A ring: the interactions required, their number below.

    Raises UsageError if no curve was made.
    """
    from matplotlib.figure import Figure

    rows = [_panels(ablations, kind) for kind in KINDS]
    down = [row[i : i + ACROSS] for row in rows for i in range(0, len(row), ACROSS)]
    if not down:
        raise UsageError("Only circuits were ablated: there is no curve to draw.")
    bases = _bases(ablations)
    across = max(map(len, down))
    figure = Figure(figsize=(PANEL[0] * across + 0.4, PANEL[1] * len(down) + 0.9),
                    layout="constrained")  # fmt: skip
    first = None
    for place, row in enumerate(down):
        for column, panel in enumerate(row):
            axes = figure.add_subplot(len(down), across, place * across + column + 1, sharey=first)
            first = first or axes
            _draw_panel(axes, panel, ablations, bases)
            axes.tick_params(labelsize=FONT - 1, labelleft=column == 0)
            axes.set_ylabel(ablations.metric if column == 0 else "", fontsize=FONT)
    figure.legend(
        handles=_keys(bases), fontsize=FONT, frameon=False, loc="outside lower left", ncols=3,
        handlelength=3.2,
    )  # fmt: skip
    figure.suptitle(title, fontsize=9, x=0.01, ha="left", color=INK, parse_math=False)
    return figure


def _panels(ablations: Ablations, kind: str) -> list[pd.DataFrame]:
    curves = ablations.of_kind(kind).groupby("layer", sort=False)
    return [rows for _, rows in curves]


def _bases(ablations: Ablations) -> dict[str, str]:
    """Return what the runs are called: by their bases, with the id where two have the same."""
    runs = ablations.frame.drop_duplicates("run")
    runs = runs.iloc[(runs["run"] != ablations.run).to_numpy().argsort(kind="stable")]
    several = runs["basis"].duplicated(keep=False)
    names = runs["basis"].where(~several, runs["basis"] + " " + runs["run"])
    return dict(zip(runs["run"], names, strict=True))


def _draw_panel(
    axes: Axes, panel: pd.DataFrame, ablations: Ablations, bases: Mapping[str, str]
) -> None:
    kind, layer = panel["kind"].iloc[0], panel["layer"].iloc[0]
    axes.axhline(panel["baseline"].iloc[0], color=OTHER, linewidth=2.5, zorder=0)
    for run, (line, colour, mark) in zip(bases, cycle(LINES), strict=False):
        rows = panel[panel["run"] == run].sort_values(KINDS[kind].counted, kind="stable")
        kept = rows[KINDS[kind].counted].astype("int64")
        axes.plot(kept, rows["random_score"], linestyle=RANDOM, color=colour, linewidth=1)
        axes.plot(kept, rows["score"], linestyle=line, color=colour, linewidth=1.4, marker=mark,
                  markersize=3)  # fmt: skip
    _set_axis(axes, kind)
    required = ablations.of_kind("edges_required")
    required = required[(required["layer"] == layer) & (kind == "edge_curve")]
    counts = []
    for row in required.to_dict("records"):
        colour = LINES[list(bases).index(row["run"]) % len(LINES)][1]
        axes.plot(row["edges"], row["score"], color=colour, markeredgewidth=1.4, **RING)
        counts.append(f"{bases[row['run']]} {row['edges']:,}")
    below = f"\nrequired: {', '.join(counts)}" if counts else ""
    axes.set_xlabel(KINDS[kind].text.format(layer) + below, fontsize=FONT, parse_math=False)


def _set_axis(axes: Axes, kind: str) -> None:
    if kind == "node_curve":
        axes.set_xscale("log")
    else:
        axes.set_xscale("symlog", linthresh=1, linscale=0.3)
        axes.set_xlim(left=-0.1)
    axes.grid(alpha=0.3, which="major")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _keys(bases: Mapping[str, str]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    keys = []
    for name, (line, colour, mark) in zip(bases.values(), cycle(LINES), strict=False):
        own = Line2D([], [], linestyle=line, color=colour, marker=mark, markersize=3, label=name)
        random = Line2D([], [], linestyle=RANDOM, color=colour, linewidth=1,
                        label=f"{name}, as many at random")  # fmt: skip
        keys += [own, random]
    ring = Line2D([], [], color=INK, label="interactions required", **RING)
    return [*keys, Line2D([], [], color=OTHER, linewidth=2.5, label="the whole network"), ring]
