"""Modules and compared runs as tables for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lib_graph.support.tables import records_of
from lib_graph.support.texts import counted
from lib_graph.support.view import View
from queries.views.cells import (
    count_cell,
    fixed_cell,
    list_cell,
    number_cell,
    share_cell,
    spread_cell,
)
from queries.views.tokens import tokens_view

if TYPE_CHECKING:
    from queries.comparing.runs import RunComparison
    from queries.modules.chance import Chance
    from queries.modules.communities import Communities, Community
    from queries.modules.flow import ModuleFlow
    from queries.modules.table import ModuleTable

__all__ = ["communities_view", "module_flow_view", "module_table_view", "runs_compared_view"]

ARROW = " → "
LABELLED = "labels: with their part of the module's importance, that of a layer being 1."
COUNTED = "labels: with their part of the module's features."


def communities_view(found: Communities) -> View:
    """Return modules with Q above them, what each adds to it, and the labels of most importance."""
    several = [each for each in found.communities if each.size > 1]
    parted = any(each.contribution is not None for each in several)
    columns = ("index", "size", "span", *(["Q"] if parted else []), "layers", "labels")
    rows = [
        (
            str(each.index),
            str(each.size),
            str(each.span),
            *([fixed_cell(each.contribution)] if parted else []),
            f"{each.layers[0]}{ARROW}{each.layers[-1]}" if each.span > 1 else each.layers[0],
            labels,
        )
        for each, labels in zip(several, _labels(several), strict=True)
    ]
    alone = len(found) - len(rows)
    above = f"Modularity Q = {found.modularity:.4f} at resolution {found.resolution:g}"
    above += "." if found.resolution == 1 else f", {found.modularity_at_1:.4f} at 1."
    above = "\n".join(filter(None, [above, _chance_words(found.chance)]))
    shares = LABELLED if found.features["importance"].sum() > 0 else COUNTED
    told = [
        "Q: what of it the module adds." if parted and rows else "",
        shares if any(labels for *_, labels in rows) else "",
        f"Features that are a module of their own: {alone}." if alone else "",
    ]
    below = "\n".join(filter(None, told))
    numbers = frozenset(["index", "size", "span", "Q"])
    return View(columns, rows, numbers, above=above, below=below)


def _labels(modules: Sequence[Community]) -> list[str]:
    """Return labels with their shares; where several modules have the same ones, with a number."""
    shown = [[pair for pair in each.labels[:3] if pair[1] >= 0.01] for each in modules]
    names = [tuple(label for label, _ in pairs) for pairs in shown]
    found = []
    for i, pairs in enumerate(shown):
        text = ", ".join(f"{label} ({share_cell(share)})" for label, share in pairs)
        same = bool(pairs) and names.count(names[i]) > 1
        found.append(f"{text} #{names[: i + 1].count(names[i])}" if same else text)
    return found


def _chance_words(chance: Chance) -> str:
    """Return a sentence on the Q of chance, nothing where it was not asked for.

    >>> from queries.modules.chance import Chance
    >>> _chance_words(Chance(3, 0.1234, 0.01))
    'By chance: 0.1234 ± 0.0100 (mean ± sd of 3 shuffled graphs).'
    """
    if chance.mean is None:
        return ""
    if chance.sd is None:
        return f"By chance: {chance.mean:.4f} (one shuffled graph)."
    spread = f"{chance.mean:.4f} ± {chance.sd:.4f}"
    return f"By chance: {spread} (mean ± sd of {chance.null} shuffled graphs)."


def module_table_view(found: ModuleTable) -> View:
    """Return a row per resolution: Q beside the Q of chance, and what the modules are like."""
    columns = (
        "resolution", "Q", "chance", "Q1", "agree", "sizes", "layers", "purity", "ARI",
    )  # fmt: skip
    rows = [
        (
            f"{row['resolution']:g}",
            fixed_cell(row["modularity"]),
            spread_cell(row["null_mean"], row["null_sd"]),
            fixed_cell(row["modularity_at_1"]),
            fixed_cell(row["stability"]),
            list_cell(row["sizes"]),
            list_cell(row["spans"]),
            fixed_cell(row["purity"]),
            fixed_cell(row["label_ari"]),
        )
        for row in records_of(found.frame)
    ]
    labelled = int(found.frame["labelled"].iloc[0])
    below = (
        f"Q1: Q at resolution 1. chance: Q of {found.null} shuffled graphs.\n"
        f"agree: median adjusted Rand index between {found.seeds} seeds.\n"
        "sizes, layers: features and layers of the modules of more than one feature.\n"
        f"purity, ARI: of modules against labels, of {labelled} labelled features."
    )
    return View(columns, rows, frozenset(columns) - {"sizes", "layers"}, below=below)


def module_flow_view(found: ModuleFlow) -> View:
    """Return what flows between modules, the largest sums of shares first."""
    numbers = ("source", "target", "interactions", "strength", "share")
    rows = [tuple(number_cell(row[name]) for name in numbers) for row in records_of(found.flows)]
    lone = int((found.modules["size"] == 1).sum())
    modules = counted(len(found.modules), "module")
    below = f"{modules}, {lone} of them a single feature." if rows else "No rows."
    return View(numbers, rows, frozenset(numbers), below=below)


def runs_compared_view(found: RunComparison) -> View:
    """Return the interactions of runs layer by layer, below the features and the runs as wholes."""
    layers = records_of(found.layers)
    called = _called(found)
    features = View(
        ("run", "layer", "width", "PCA", "features", "matched"),
        [
            (
                called[row["run"]],
                row["layer"],
                *(count_cell(row[name]) for name in ("width", "pca_rank", "features")),
                fixed_cell(row["matched"]),
            )
            for row in layers
        ],
        frozenset(["width", "PCA", "features", "matched"]),
    )
    numbers = ("interactions", "n90", "n99", "Gini", "Hoyer", "effective", "sources", "required")
    rows = [
        (
            called[row["run"]],
            row["layer"],
            *(count_cell(row[name]) for name in ("interactions", "for_90", "for_99")),
            fixed_cell(row["gini"]),
            fixed_cell(row["hoyer"]),
            *(number_cell(row[name]) for name in ("effective", "sources")),
            count_cell(row["edges_required"]),
        )
        for row in layers
        if row["interactions"]
    ]
    below = (
        "Q: modularity; chance: that of shuffled graphs. stability: how alike the modules of\n"
        "several --seeds are. purity, ARI: of modules against labels, where there are several.\n"
        "PCA: its rank. matched: median |r| of features with the one most like it in\n"
        f"{found.runs['run'].iloc[0]}, where they were matched. n90, n99: interactions that make\n"
        "up 90 and 99 % of the strength. effective: exp of the entropy of the strengths; sources:\n"
        "that of a target's sources, mean over targets, whatever the features' scales. required:\n"
        "edges required, where they were ablated."
    )
    if len(found.tokens):
        tokens = tokens_view(found.tokens, called)
        below = "\n".join([below, "", *tokens.lines(), tokens.below])
    return View(
        ("run", "layer", *numbers),
        rows,
        frozenset(numbers),
        frozenset(["layer"]),
        above="\n".join([*_wholes(found).lines(), "", *features.lines(), ""]),
        below=below,
    )


def _called(found: RunComparison) -> dict[str, str]:
    """Return what each run is called, by id: its name, or its id if another has the same name."""
    runs = found.runs
    return dict(
        zip(
            runs["run"], runs["name"].mask(runs["name"].duplicated(False), runs["run"]), strict=True
        )
    )


def _wholes(found: RunComparison) -> View:
    """Return a row per run."""
    rows = [
        (
            row["run"],
            row["name"],
            row["basis"],
            str(row["features"]),
            str(row["interactions"]),
            fixed_cell(row["modularity"]),
            spread_cell(row["null_mean"], row["null_sd"]),
            fixed_cell(row["stability"]),
            fixed_cell(row["purity"]),
            fixed_cell(row["label_ari"]),
        )
        for row in records_of(found.runs)
    ]
    numbers = ("features", "interactions", "Q", "chance", "stability", "purity", "ARI")
    return View(("run", "name", "basis", *numbers), rows, frozenset(numbers))
