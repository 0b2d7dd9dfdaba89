"""Pictures of a whole run: importances, modules by layer and index, strengths by module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lib_graph.errors import UsageError
from lib_graph.support import defaults
from lib_graph.support.arguments import checked
from queries.pictures.figures import INK, NONE, OTHER, module_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from queries.modules.communities import Communities
    from queries.modules.weighted import Floats

__all__ = ["draw_importances", "draw_modules", "draw_strengths"]

FONT = 8
SMALL = 6
ACROSS = 3  # heat maps in a row
DECADES = 6  # of strength in a heat map, below the largest of its section
LINES = ("-", "--", "-.", ":")


@checked
def draw_importances(features: pd.DataFrame, *, title: str = "") -> Figure:
    """Return the importance spectra: each feature's importance over its layer's largest.

    `features` has the columns FEATURE_COLUMNS. The rank is that by falling importance, from 1.
    Raises UsageError if no feature has an importance.
    """
    from matplotlib.figure import Figure

    known = features[features["importance"].notna() & (features["importance"] > 0)]
    if known.empty:
        raise UsageError("No feature of this run has an importance: there is nothing to draw.")
    figure = Figure(figsize=(6.5, 4), layout="constrained")
    axes = figure.add_subplot(
        xscale="log", yscale="log", xlabel="rank of the feature in its layer",
        ylabel="importance / largest of the layer",
    )  # fmt: skip
    layers = known.sort_values("layer_index", kind="stable").groupby("layer", sort=False)
    colours = _ramp(layers.ngroups)
    for i, (layer, rows) in enumerate(layers):
        spectrum = rows["importance"].sort_values(ascending=False).to_numpy()
        axes.plot(
            np.arange(len(spectrum)) + 1, spectrum / spectrum[0], label=str(layer),
            color=colours[i], linestyle=LINES[i % len(LINES)], linewidth=1.6,
        )  # fmt: skip
    axes.grid(alpha=0.3, which="major")
    axes.legend(
        fontsize=FONT, frameon=False, ncols=1 + layers.ngroups // 16, loc="upper left",
        bbox_to_anchor=(1.01, 1),
    )  # fmt: skip
    _finish(axes, title)
    return figure


@checked
def draw_modules(
    communities: Communities, *, limit: int = defaults.DRAWN, title: str = ""
) -> Figure:
    """Return the piano plot of modules: a column per layer, a key per feature, coloured by module.

    Each layer shows its first `limit` features, the most important first where importances are
    known, from the top, with the number of the module. A feature that is a module of its own is
    white.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch, Rectangle

    alone = {each.index for each in communities.communities if each.size == 1}
    shown = _first(communities.features, limit)
    shown = shown.assign(module=shown["community"].where(~shown["community"].isin(alone), 0))
    layers = list(shown.sort_values("layer_index", kind="stable")["layer"].unique())
    colours = module_colours(shown["module"])
    columns = {layer: i for i, layer in enumerate(layers)}
    depth = int(shown["rank"].max()) + 1
    figure = Figure(figsize=(1.6 + 0.9 * len(layers), 1.2 + 0.09 * depth), layout="constrained")
    axes = figure.add_subplot(xlim=(0, len(layers)), ylim=(depth, 0))
    for row in shown.to_dict("records"):
        left, colour = columns[row["layer"]] + 0.06, colours[row["module"]]
        edge = OTHER if colour == NONE else NONE
        axes.add_patch(
            Rectangle((left, row["rank"]), 0.88, 1, facecolor=colour, edgecolor=edge, linewidth=0.4)
        )
        if row["module"]:
            axes.text(left + 0.85, row["rank"] + 0.53, row["module"], fontsize=SMALL, ha="right",
                      va="center", color=_readable(colour))  # fmt: skip
    axes.set_xticks(np.arange(len(layers)) + 0.5, layers, fontsize=FONT, rotation=_slant(layers))
    hidden = len(communities.features) - len(shown)
    ranked = communities.features["importance"].notna().any()
    rest = f"{hidden:,} {'less important' if ranked else 'more'} are not shown" if hidden else ""
    axes.set_ylabel(f"features, {'the most important first' if ranked else 'in their order'}")
    axes.set_xlabel(rest, fontsize=FONT)
    named = [module for module, colour in colours.items() if colour not in (OTHER, NONE)]
    keys = [Patch(color=colours[module], label=f"module {module}") for module in named]
    if OTHER in colours.values():
        keys.append(Patch(color=OTHER, label="other modules"))
    if (shown["module"] == 0).any():
        keys.append(Patch(facecolor=NONE, edgecolor=OTHER, label="one feature alone"))
    figure.legend(handles=keys, fontsize=FONT, frameon=False, loc="outside right upper")
    _finish(axes, title)
    return figure


def draw_strengths(
    communities: Communities,
    sections: Sequence[pd.DataFrame],
    *,
    limit: int = defaults.DRAWN,
    title: str = "",
) -> Figure:
    """Return heat maps of the strengths, one a section, features ordered by module.

    `sections` are frames with source, target and strength, in the order of the layers; those
    between features in no module (outputs, constants) are left out. A layer shows its `limit` most
    important features, as far as any interaction connects them. Grey lines part the modules, whose
    numbers are at the edges; black is the largest strength of the section, white what is a
    millionth of it or less.

    Raises UsageError if no interaction connects two features that are shown.
    """
    from matplotlib.figure import Figure

    shown = _first(communities.features, limit)
    maps = [found for section in sections if (found := _heat_map(section, shown)) is not None]
    if not maps:
        raise UsageError("No interaction connects two features of modules: nothing to draw.")
    across, down = min(ACROSS, len(maps)), -(-len(maps) // ACROSS)
    figure = Figure(figsize=(3.8 * across + 0.7, 3.8 * down + 0.3), layout="constrained")
    for place, (source, target, strengths) in enumerate(maps, start=1):
        axes = figure.add_subplot(down, across, place)
        levels = np.log10(np.maximum(strengths / strengths.max(), 10.0**-DECADES))
        image = axes.imshow(
            levels, cmap="Greys", vmin=-DECADES, vmax=0, aspect="auto", interpolation="nearest"
        )
        _part_modules(axes.xaxis, axes.axvline, source["community"])
        _part_modules(axes.yaxis, axes.axhline, target["community"])
        axes.set_xlabel(f"{source['layer'].iloc[0]}, by module", fontsize=FONT)
        axes.set_ylabel(f"{target['layer'].iloc[0]}, by module", fontsize=FONT)
    bar = figure.colorbar(image, ax=figure.axes, shrink=0.8 / down, aspect=20)
    bar.ax.tick_params(labelsize=FONT)
    bar.set_label("log₁₀ strength / largest of the section", fontsize=FONT)
    figure.suptitle(title, fontsize=9, x=0.01, ha="left")
    return figure


def _first(features: pd.DataFrame, limit: int) -> pd.DataFrame:
    """Return the most important features of each layer, with their rank, from 0."""
    if limit < 1:
        raise UsageError(f"The limit is {limit}. Show at least 1 feature of each layer.")
    if features.empty:
        raise UsageError("The run has no features in modules: there is nothing to draw.")
    ordered = features.sort_values(
        ["layer_index", "importance", "index"], ascending=[True, False, True], na_position="last"
    )
    ordered = ordered.assign(rank=ordered.groupby("layer_index").cumcount())
    return ordered[ordered["rank"] < limit]


def _heat_map(
    section: pd.DataFrame, shown: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, Floats] | None:
    """Return the features of both layers by module, and the strengths (target × source)."""
    known = section[section["source"].isin(shown["id"]) & section["target"].isin(shown["id"])]
    if known.empty or not known["strength"].max() > 0:
        return None
    source, target = (
        shown[shown["id"].isin(known[side])].sort_values(["community", "rank"])
        for side in ("source", "target")
    )
    strengths = np.zeros((len(target), len(source)))
    rows = pd.Index(target["id"]).get_indexer(pd.Index(known["target"]))
    columns = pd.Index(source["id"]).get_indexer(pd.Index(known["source"]))
    strengths[rows, columns] = known["strength"]
    return source, target, strengths


def _part_modules(axis: Axis, line: Callable[..., object], modules: pd.Series[int]) -> None:
    """Part the modules by lines, and write their numbers on the axis."""
    cuts = np.flatnonzero(np.diff(modules.to_numpy())) + 0.5
    for at in cuts:
        line(at, color=OTHER, linewidth=0.5)
    ends = np.array([-0.5, *cuts, len(modules) - 0.5])
    axis.set_ticks(
        (ends[1:] + ends[:-1]) / 2, modules.drop_duplicates().astype(str), fontsize=FONT - 1
    )
    axis.set_tick_params(length=0)


def _readable(colour: str) -> str:
    """Return white on a dark colour, ink on a light one."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(colour)
    return NONE if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else INK


def _slant(names: Sequence[str]) -> int:
    return 45 if max(map(len, names)) > 8 else 0


def _ramp(count: int) -> list[tuple[float, ...]]:
    """Return colours from dark to light, in an order that grey printing keeps."""
    from matplotlib import colormaps

    return [colormaps["viridis"](x) for x in np.linspace(0, 0.9, count)]


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=9, loc="left", color=INK, parse_math=False)
    axes.tick_params(labelsize=FONT)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
