"""The layered picture of a circuit: columns are layers, width is share, colour is module.

A feature also has its module's number, small, for those who cannot tell the colours apart.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lib_graph.errors import UsageError
from lib_graph.support.arguments import checked
from lib_graph.support.texts import counted
from queries.pictures.figures import INK, NONE, OTHER, check_suffix, module_colours, save_figure
from queries.pictures.layout import Layout, lay_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from queries.circuits.circuit import Circuit
    from queries.modules.communities import Communities

__all__ = ["describe_saved", "draw_circuit", "plot_circuit"]

ROW = 0.26  # inches
BOX = 0.20
GAP = (0.9, 2.3)  # between columns, at least and at most
WIDTH = 12.0  # that columns are brought together for
LETTER = 0.068  # width of a letter at FONT points
FONT = 7.5
NAME = 9.5  # points, as the names of layers are
SMALL = 6
MARGIN = 0.3
HEADER = 0.75
LONGEST = 22  # letters of a label
LEAST = 5.6  # width of the legend
WIDEST = 7.0  # points, at share 1
DASHED = (0, (2.0, 1.0))  # in widths of the line
ROUNDING = 1e-9  # of √strength: a smaller effect is 0


def plot_circuit(
    circuit: Circuit,
    path: str | Path,
    *,
    communities: Communities | None = None,
    title: str = "",
) -> None:
    """Write the picture of a circuit; the suffix of `path` says PNG, SVG or PDF.

    Raises UsageError for another suffix and for an empty circuit.
    """
    check_suffix(path)
    if not len(circuit):
        raise UsageError("The circuit is empty: there is nothing to draw. Ask for more of it.")
    save_figure(draw_circuit(circuit, communities=communities, title=title), path)


def describe_saved(circuit: Circuit) -> str:
    """Return the name of a saved circuit and its three numbers: size, score, a random one's."""
    size = f"{circuit.name}: {counted(len(circuit), 'interaction')}"
    found = circuit.scores
    if found is None:
        return f"{size}, not tested"
    return (
        f"{size}, {found.metric or 'score'} {found.score:.4g} (whole network {found.baseline:.4g}, "
        f"random circuits of this size {found.random_score:.4g})"
    )


@checked
def draw_circuit(
    circuit: Circuit, *, communities: Communities | None = None, title: str = ""
) -> Figure:
    """Return the picture of a circuit as a matplotlib figure. Its axes are in inches, y down."""
    from matplotlib.figure import Figure

    layout = lay_out(circuit, communities.membership() if communities else {})
    nodes = layout.nodes.assign(text=[_text(row) for row in layout.nodes.to_dict("records")])
    columns = _Columns.of(layout, nodes)
    nodes["left"] = nodes["column"] * columns.pitch
    nodes["y"] = (nodes["y"] + 0.5) * ROW
    colours = module_colours(nodes["module"])
    nodes["colour"] = nodes["module"].map(colours)
    legend = _legend(nodes, colours)
    inhibits = bool(_negative(circuit.interactions).any())

    height = layout.height * ROW
    bottom = height + 0.25 + 0.2 * (len(legend) + 1 + inhibits)
    margin = columns.margin
    width = max(columns.width + 2 * margin, margin + LEAST, margin + 1.25 * LETTER * len(title))
    figure = Figure(figsize=(width, bottom + HEADER))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-margin, width - margin), ylim=(bottom, -HEADER))
    axes.set_axis_off()
    _draw_interactions(axes, circuit, nodes.set_index("id"), columns.box)
    _draw_features(axes, nodes, columns.box)
    _draw_words(axes, layout, columns, title)
    _draw_legend(axes, legend, height + 0.35, inhibits)
    return figure


@dataclass(frozen=True)
class _Columns:
    """The width of a box, the distance from one column to the next, all of them, and what is beside
    them, in inches.
    """

    box: float
    pitch: float
    width: float
    margin: float

    @classmethod
    def of(cls, layout: Layout, nodes: pd.DataFrame) -> _Columns:
        """Return columns that are wide enough for labels and for the names of layers."""
        count, name = len(layout.columns), 1.15 * LETTER * NAME / FONT * _longest(layout.columns)
        box = 0.16 + LETTER * _longest(nodes["text"]) + 0.12 * (nodes["module"] > 0).any()
        gap = min(max(GAP[0], (WIDTH - count * box) / max(count - 1, 1)), GAP[1])
        pitch = max(box + gap, name + 0.2)
        return cls(box, pitch, (count - 1) * pitch + box, MARGIN + max(0.0, (name - box) / 2))


def _longest(texts: Iterable[str]) -> int:
    return max(map(len, texts))


def _text(row: Mapping[Hashable, Any]) -> str:
    label = row["label"] or ""
    if len(label) > LONGEST:
        label = label[: LONGEST - 1] + "…"
    return f"{row['index']}  {label}".strip()


def _legend(nodes: pd.DataFrame, colours: Mapping[int, str]) -> list[tuple[str, str]]:
    """Return (colour, text) for the modules that have a colour of their own, by number, and for
    the rest.

    The text names the labels that are commonest in the picture.
    """
    legend = []
    for module, colour in sorted(colours.items()):
        if colour not in (OTHER, NONE):
            labels = nodes.loc[(nodes["module"] == module) & (nodes["label"] != ""), "label"]
            names = ", ".join(labels.value_counts(sort=True).index[:3])
            legend.append((colour, f"module {module}: {names}" if names else f"module {module}"))
    return [*legend, (OTHER, "other modules")] if OTHER in colours.values() else legend


def _draw_interactions(axes: Axes, circuit: Circuit, nodes: pd.DataFrame, box: float) -> None:
    """Draw the weakest first, so that the strong ones are on top."""
    from matplotlib.path import Path as Curve

    curves, widths, colours = [], [], []
    edges = circuit.interactions.sort_values("share", na_position="first", kind="stable")
    for source, target, share in zip(edges["source"], edges["target"], edges["share"], strict=True):
        start, end = nodes.loc[source], nodes.loc[target]
        x0, x1 = start["left"] + box, end["left"]
        bend = 0.45 * (x1 - x0)
        points = [(x0, start["y"]), (x0 + bend, start["y"]), (x1 - bend, end["y"]), (x1, end["y"])]
        curves.append(Curve(points, [Curve.MOVETO, *[Curve.CURVE4] * 3]))
        widths.append(_line_width(share))
        colours.append(_line_colour(start, end))
    _add_curves(axes, curves, widths, colours, [DASHED if x else "-" for x in _negative(edges)])


def _negative(edges: pd.DataFrame) -> pd.Series[bool]:
    """Return which mean effects are negative, by more than rounding."""
    found: pd.Series[bool] = edges["effect"] < -ROUNDING * edges["strength"] ** 0.5
    return found


def _add_curves(
    axes: Axes, curves: list[Any], widths: list[float], colours: list[str], styles: list[Any]
) -> None:
    from matplotlib.collections import PathCollection

    axes.add_collection(
        PathCollection(
            curves,
            facecolors="none",
            edgecolors=colours,
            linewidths=widths,
            linestyles=styles,
            alpha=0.65,
            zorder=1,
            capstyle="butt",
        )
    )


def _line_width(share: float) -> float:
    return 0.3 if pd.isna(share) else max(0.3, WIDEST * share)


def _line_colour(start: pd.Series[Any], end: pd.Series[Any]) -> str:
    """Return the module's colour within a module or into an output, grey between modules."""
    same = start["module"] == end["module"] or end["module"] == 0
    return str(start["colour"]) if same and start["module"] > 0 else OTHER


def _draw_features(axes: Axes, nodes: pd.DataFrame, box: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    for row in nodes.to_dict("records"):
        axes.add_patch(
            FancyBboxPatch(
                (row["left"], row["y"] - BOX / 2),
                box,
                BOX,
                boxstyle="round,pad=0,rounding_size=0.05",
                facecolor=_tint(row["colour"]),
                edgecolor=INK if row["module"] == 0 else row["colour"],
                linewidth=0.8,
                zorder=2,
            )
        )
        middle = row["left"] + (box - 0.12 * (row["module"] > 0)) / 2
        axes.text(
            middle, row["y"], row["text"], fontsize=FONT, color=INK, ha="center", va="center",
            zorder=3, parse_math=False,
        )  # fmt: skip
        if row["module"] > 0:
            axes.text(
                row["left"] + box - 0.04, row["y"] - 0.03, row["module"], fontsize=SMALL, color=INK,
                ha="right", va="center", zorder=3,
            )  # fmt: skip


def _tint(colour: str) -> tuple[float, ...]:
    from matplotlib.colors import to_rgb

    return tuple(0.45 * part + 0.55 for part in to_rgb(colour))


def _draw_words(axes: Axes, layout: Layout, columns: _Columns, title: str) -> None:
    axes.text(0, -HEADER + 0.1, title, fontsize=9, color=INK, ha="left", va="top", parse_math=False)
    for column, name in enumerate(layout.columns):
        middle = column * columns.pitch + columns.box / 2
        axes.text(
            middle, -0.1, name, fontsize=NAME, weight="bold", color=INK, ha="center", va="bottom",
            parse_math=False,
        )  # fmt: skip


def _draw_legend(axes: Axes, legend: Sequence[tuple[str, str]], top: float, inhibits: bool) -> None:
    from matplotlib.patches import Rectangle

    axes.text(0, top, "Width: share of the strength into a feature", fontsize=FONT, va="center")
    for i, share in enumerate((0.05, 0.2, 0.5, 1.0)):
        left = 2.5 + 0.75 * i
        axes.plot(
            [left, left + 0.3], [top, top], color=OTHER, linewidth=_line_width(share),
            solid_capstyle="butt",
        )  # fmt: skip
        axes.text(left + 0.35, top, f"{share:g}", fontsize=FONT, va="center")
    for row, (colour, text) in enumerate(legend, start=1):
        y = top + 0.2 * row
        axes.add_patch(
            Rectangle((0, y - 0.06), 0.3, 0.12, facecolor=_tint(colour), edgecolor=colour)
        )
        axes.text(0.4, y, text, fontsize=FONT, color=INK, va="center", parse_math=False)
    if inhibits:
        y = top + 0.2 * (len(legend) + 1)
        axes.plot([0, 0.3], [y, y], color=OTHER, linewidth=2, linestyle=DASHED)
        axes.text(0.4, y, "dashed: negative mean effect", fontsize=FONT, color=INK, va="center")
