"""Answers as tables for a person: short ids, few digits, the columns that fit a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from queries.answers import Table, records_of
from queries.output import View

if TYPE_CHECKING:
    from queries.circuits import Circuit
    from queries.communities import Communities
    from queries.module_flow import ModuleFlow
    from queries.module_table import ModuleTable
    from queries.paths import Paths
    from queries.saved_circuits import Comparison

__all__ = [
    "answer_view",
    "circuit_view",
    "circuits_view",
    "communities_view",
    "comparison_view",
    "features_view",
    "interactions_view",
    "module_flow_view",
    "module_table_view",
    "paths_view",
    "queries_view",
    "runs_view",
    "short_id",
    "table_view",
]

ARROW = " → "
SHOWN = 4  # numbers of a list


def short_id(feature: str) -> str:
    """Return a feature's id without its run.

    >>> short_id("0123456789ab/blocks/0.mlp/3")
    'blocks/0.mlp/3'
    """
    return feature.partition("/")[2]


def runs_view(table: Table) -> View:
    """Return the runs of a store."""
    columns = ("id", "name", "model", "basis", "features", "interactions", "loaded", "status")
    rows = [
        (
            row["id"],
            _text(row["name"]),
            _text(row["model"]),
            _text(row["basis"]),
            _text(row["features"]),
            _text(row["interactions"]),
            _text(row["loaded"])[:19].replace("T", " "),
            row["status"],
        )
        for row in table.records()
    ]
    below = "" if rows else "There is no run. Load one with 'lib-graph ingest RUN'."
    numbers = frozenset(["features", "interactions"])
    return View(columns, rows, numbers, frozenset(["id", "loaded"]), below=below)


def features_view(table: Table) -> View:
    """Return features."""
    columns = ("feature", "role", "importance", "variance", "label")
    rows = [
        (
            short_id(row["id"]),
            row["role"],
            _number(row["importance"]),
            _number(row["variance"]),
            _text(row["label"]),
        )
        for row in table.records()
    ]
    return View(columns, rows, frozenset(["importance", "variance"]), frozenset(["feature"]))


def interactions_view(table: Table | Circuit) -> View:
    """Return interactions with the labels of both ends."""
    numbers = ("strength", "stderr", "effect", "share")
    columns = ("source", "target", *numbers, "labels")
    rows = [
        (
            short_id(row["source"]),
            short_id(row["target"]),
            *(_number(row[name]) for name in numbers),
            _labels(row["source_label"], row["target_label"]),
        )
        for row in table.records()
    ]
    return View(columns, rows, frozenset(numbers), frozenset(["source", "target"]))


def paths_view(paths: Paths) -> View:
    """Return paths, the strongest first."""
    columns = ("strength", "cost", "path", "shares")
    rows = [
        (
            _number(path.strength),
            f"{path.cost:.3f}",
            ARROW.join(short_id(feature) for feature in path.path),
            " ".join(f"{share:.3f}" for share in path.shares),
        )
        for path in paths.paths
    ]
    below = "" if rows else "There is no path between these ends."
    return View(columns, rows, frozenset(["strength", "cost", "shares"]), below=below)


def circuit_view(circuit: Circuit) -> View:
    """Return the interactions of a circuit, and what is known of how well it explains the model."""
    view = interactions_view(circuit)
    if not len(circuit):
        return replace(view, below="There is no such path. Try a smaller --min-share.")
    size = f"{len(circuit.features)} features and {len(circuit)} interactions."
    return replace(view, below=f"{size} {_tested(circuit)}")


def _tested(circuit: Circuit) -> str:
    if circuit.scores:
        found = circuit.scores
        return (
            f"{(found.metric or 'score').capitalize()} of the circuit {found.score:.4g}, of the "
            f"whole model {found.baseline:.4g}, of random circuits of this size "
            f"{found.random_score:.4g}."
        )
    if circuit.name is None:
        return "Not tested: --save it first."
    name = shlex.quote(circuit.name)
    return f"Not tested. To test it:\n{_test_commands(name)}"


def _test_commands(name: str) -> str:
    return (
        f"  lib-graph circuits export {name} --out circuit.json\n"
        "  lib-graph ablate RUN circuit circuit.json --out circuit.json\n"
        "  lib-graph circuits import circuit.json"
    )


def circuits_view(table: Table) -> View:
    """Return saved circuits with their three numbers."""
    numbers = ("features", "interactions", "score", "baseline", "random_score")
    rows = [
        (
            row["name"],
            _text(row["features"]),
            _text(row["interactions"]),
            *(_number(row[name]) for name in numbers[2:]),
        )
        for row in table.records()
    ]
    below = "" if rows else "There is no saved circuit. 'lib-graph circuit --save NAME' saves one."
    if any(row[3] == "" for row in rows):
        below = f"Those without a score are not tested. To test one:\n{_test_commands('NAME')}"
    return View(("name", *numbers), rows, frozenset(numbers), frozenset(["name"]), below=below)


def comparison_view(found: Comparison) -> View:
    """Return what each two circuits have in common, below the three numbers of each."""
    circuits = circuits_view(found.circuits)
    numbers = ("features (Jaccard)", "interactions (Jaccard)", "only first", "only second")
    rows = [
        (
            row["first"],
            row["second"],
            f"{row['features']} ({row['features_jaccard']:.3f})",
            f"{row['interactions']} ({row['interactions_jaccard']:.3f})",
            str(row["only_first"]),
            str(row["only_second"]),
        )
        for row in records_of(found.pairs)
    ]
    above = "\n".join([*circuits.lines(), circuits.below, "", "In common:"])
    return View(("first", "second", *numbers), rows, frozenset(numbers), above=above)


def communities_view(found: Communities) -> View:
    """Return modules with Q above them, and the labels that most of their importance has."""
    columns = ("index", "size", "span", "layers", "labels")
    rows = [
        (
            str(each.index),
            str(each.size),
            str(each.span),
            f"{each.layers[0]}{ARROW}{each.layers[-1]}" if each.span > 1 else each.layers[0],
            ", ".join(
                f"{label} ({share:.0%})" for label, share in each.labels[:3] if share >= 0.01
            ),
        )
        for each in found.communities
        if each.size > 1
    ]
    alone = len(found) - len(rows)
    above = f"Modularity Q = {found.modularity:.4f} at resolution {found.resolution:g}"
    above += "." if found.resolution == 1 else f", {found.modularity_at_1:.4f} at 1."
    below = f"Features that are a module of their own: {alone}." if alone else ""
    numbers = frozenset(["index", "size", "span"])
    return View(columns, rows, numbers, above=above, below=below)


def module_table_view(found: ModuleTable) -> View:
    """Return a row per resolution: Q beside the Q of chance, and what the modules are like."""
    columns = (
        "resolution", "Q", "chance", "Q at 1", "agree", "sizes", "layers", "purity", "ARI",
    )  # fmt: skip
    rows = [
        (
            f"{row['resolution']:g}",
            _fixed(row["modularity"]),
            _spread(row["null_mean"], row["null_sd"]),
            _fixed(row["modularity_at_1"]),
            _fixed(row["stability"]),
            _list(row["sizes"]),
            _list(row["spans"]),
            _fixed(row["purity"]),
            _fixed(row["label_ari"]),
        )
        for row in records_of(found.frame)
    ]
    labelled = int(found.frame["labelled"].iloc[0])
    below = (
        f"chance: Q of {found.null} shuffled graphs.\n"
        f"agree: median adjusted Rand index between {found.seeds} seeds.\n"
        "sizes, layers: features and layers of the modules of more than one feature.\n"
        f"purity, ARI: of modules against labels, of {labelled} labelled features."
    )
    return View(columns, rows, frozenset(columns) - {"sizes", "layers"}, below=below)


def module_flow_view(found: ModuleFlow) -> View:
    """Return what flows between modules, the largest sums of shares first."""
    numbers = ("source", "target", "interactions", "strength", "share")
    rows = [tuple(_number(row[name]) for name in numbers) for row in records_of(found.flows)]
    lone = int((found.modules["size"] == 1).sum())
    below = (
        f"{len(found.modules)} modules, {lone} of them a single feature." if rows else "No rows."
    )
    return View(numbers, rows, frozenset(numbers), below=below)


def table_view(table: Table) -> View:
    """Return the rows of a text of the user's own."""
    columns = tuple(str(name) for name in table.frame.columns)
    numbers = [name for name in columns if table.frame[name].dtype.kind in "iuf"]
    rows = [
        tuple(_number(cell) if isinstance(cell, float) else _text(cell) for cell in row.values())
        for row in table.records()
    ]
    below = "" if rows else "No rows."
    return View(columns, rows, frozenset(numbers), below=below)


def answer_view(table: Table, run: str, needs: str | None) -> View:
    """Return the rows of a named query, ids without their run; `needs` says why there are none."""
    view = table_view(table)
    rows = [tuple(cell.removeprefix(f"{run}/") for cell in row) for row in view.rows]
    ids = frozenset(["feature", "source", "target", "first", "second"])
    below = "" if rows else f"No rows. {needs or ''}".strip()
    return replace(view, rows=rows, whole=ids, below=below)


def queries_view(table: Table) -> View:
    """Return the names of the queries and what they answer."""
    rows = [(row["name"], row["question"]) for row in table.records()]
    below = "'lib-graph queries NAME' shows one with its parameters."
    return View(("query", "question"), rows, whole=frozenset(["query"]), below=below)


def _labels(source: str | None, target: str | None) -> str:
    return f"{source or '–'}{ARROW}{target or '–'}" if source or target else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _fixed(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _spread(mean: float | None, deviation: float | None) -> str:
    """Return 0.123 ± 0.012."""
    return _fixed(mean) if deviation is None else f"{mean:.3f} ± {deviation:.3f}"


def _list(numbers: Sequence[int]) -> str:
    """Return the first few numbers of a list."""
    return " ".join(map(str, numbers[:SHOWN])) + " …" * (len(numbers) > SHOWN)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
