"""Answers as tables for a person: short ids, few digits, the columns that fit a terminal."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from lib_graph.support.tables import records_of
from lib_graph.support.texts import counted
from lib_graph.support.view import View
from queries.asking.tables import Table
from queries.views.cells import fixed_cell, number_cell, text_cell, value_cell
from queries.views.scores import scores_line

if TYPE_CHECKING:
    from queries.circuits.circuit import Circuit
    from queries.circuits.compared import Comparison
    from queries.circuits.paths import Path, Paths

__all__ = [
    "answer_view",
    "circuit_view",
    "circuits_view",
    "comparison_view",
    "features_view",
    "interactions_view",
    "paths_view",
    "queries_view",
    "runs_view",
    "short_id",
    "table_view",
    "unusual_view",
]

ARROW = " → "
UNTOLD = {"base": {""}, "status": {"complete"}}  # of runs: a column of nothing else says nothing
SHORT = 3  # features of a path: up to so many are all shown with their labels
LONG, ENDS = 12, 4  # longer ones are shown by so many at either end


def short_id(feature: str) -> str:
    """Return a feature's id without its run.

    >>> short_id("0123456789ab/blocks/0.mlp/3")
    'blocks/0.mlp/3'
    """
    return feature.partition("/")[2]


def runs_view(table: Table) -> View:
    """Return the runs of a store."""
    columns = (
        "id",
        "name",
        "model",
        "basis",
        "base",
        "features",
        "interactions",
        "loaded",
        "status",
    )
    rows = [
        (
            row["id"],
            text_cell(row["name"]),
            text_cell(row["model"]),
            text_cell(row["basis"]),
            text_cell(row["base"]),
            text_cell(row["features"]),
            text_cell(row["interactions"]),
            text_cell(row["loaded"])[:10],
            row["status"],
        )
        for row in table.records()
    ]
    below = "" if rows else "There is no run. Load one with 'lib-graph ingest RUN'."
    numbers = frozenset(["features", "interactions"])
    told = [n for n, name in enumerate(columns) if {r[n] for r in rows} - UNTOLD.get(name, set())]
    return View(
        tuple(columns[n] for n in told), [tuple(row[n] for n in told) for row in rows],
        numbers, frozenset(["id", "loaded"]), below=below,
    )  # fmt: skip


def features_view(table: Table) -> View:
    """Return features."""
    columns = ("feature", "role", "importance", "variance", "label")
    rows = [
        (
            short_id(row["id"]),
            row["role"],
            number_cell(row["importance"]),
            number_cell(row["variance"]),
            text_cell(row["label"]),
        )
        for row in table.records()
    ]
    view = View(columns, rows, frozenset(["importance", "variance"]), frozenset(["feature"]))
    return _without_empty(view, "importance", "variance")


def interactions_view(table: Table | Circuit) -> View:
    """Return interactions with the labels of both ends."""
    numbers = ("strength", "stderr", "effect", "share")
    columns = ("source", "target", *numbers, "labels")
    rows = [
        (
            short_id(row["source"]),
            short_id(row["target"]),
            *(number_cell(row[name]) for name in numbers),
            _labels(row["source_label"], row["target_label"]),
        )
        for row in table.records()
    ]
    view = View(columns, rows, frozenset(numbers), frozenset(["source", "target"]))
    return _without_empty(view, "stderr", "effect")


def paths_view(
    paths: Paths,
    *,
    whole: str = "--json, --csv and --parquet have all",
    freely: str = "--distinct 0 ends that",
) -> View:
    """Return paths, the strongest first; of long ones the middle is left out.

    `whole` and `freely` say what shows paths whole, and paths that share interactions.
    """
    columns = ("strength", "cost", "path", "shares")
    rows = [
        (
            number_cell(path.strength),
            fixed_cell(path.cost),
            ARROW.join(_ends(_named(path))),
            " ".join(_ends([fixed_cell(share) for share in path.shares])),
        )
        for path in paths.paths
    ]
    below = "" if rows else "There is no path between these ends."
    if rows and "distinct" in paths.query:
        most = paths.query["distinct"]
        below = f"Each interaction is on at most {most} of these paths; {freely}."
    if any(len(path.path) > LONG for path in paths.paths):
        below = f"Of these paths only the ends are shown: {whole}."
    return View(columns, rows, frozenset(["strength", "cost"]), below=below)


def _named(path: Path) -> list[str]:
    """Return the features of a path, of a long one the last alone with its label.

    That is an answer's token or class. Short ones are mostly of attribution graphs, whose features
    nobody knows but by their labels.
    """
    named = range(len(path.path) - 1 if len(path.path) > SHORT else 0, len(path.path))
    return [
        f"{short_id(feature)} {label or ''}".strip() if i in named else short_id(feature)
        for i, (feature, label) in enumerate(zip(path.path, path.labels, strict=True))
    ]


def _ends(parts: list[str]) -> list[str]:
    """Return the first and the last parts of many, with the number of those left out."""
    if len(parts) <= LONG:
        return parts
    return [*parts[:ENDS], f"… {len(parts) - 2 * ENDS} more …", *parts[-ENDS:]]


def circuit_view(circuit: Circuit) -> View:
    """Return the interactions of a circuit, and what is known of how well it explains the model."""
    if not len(circuit) and len(circuit.features):  # a saved one: pinned, and apart
        view = features_view(Table(circuit.features))
        return replace(view, below="No interaction leads from one of these to another.")
    view = interactions_view(circuit)
    if not len(circuit):
        hint = " Try a smaller --min-share." if "min_share" in circuit.query else ""
        return replace(view, below=f"There is no such path.{hint}")
    size = f"{counted(len(circuit.features), 'feature')} and {counted(len(circuit), 'interaction')}"
    return replace(view, below=f"{size}. {_tested(circuit)}")


def _tested(circuit: Circuit) -> str:
    if circuit.scores:
        return scores_line(circuit.file())
    if "position" in circuit.features:  # of an attribution graph, whose network is not at hand
        return "Not tested: the network of an attribution graph is not at hand."
    if circuit.name is None:
        return "Not tested: --save NAME keeps it, and then\n" + _test_command("NAME")
    return "Not tested. To test it, RUN being the run folder:\n" + _test_command(circuit.name)


def _test_command(name: str) -> str:
    return f"  lib-graph ablate RUN circuit --saved {shlex.quote(name)}"


def circuits_view(table: Table, *, network: bool = True) -> View:
    """Return saved circuits with their three numbers; without a network none can be tested."""
    numbers = ("features", "interactions", "score", "baseline", "random_score")
    rows = [
        (
            row["name"],
            text_cell(row["features"]),
            text_cell(row["interactions"]),
            *(number_cell(row[name]) for name in numbers[2:]),
            text_cell(row["metric"]),
        )
        for row in table.records()
    ]
    below = "" if rows else "There is no saved circuit. 'lib-graph circuit --save NAME' saves one."
    if network and any(row[3] == "" for row in rows):
        below = f"Those without a score are not tested. To test one:\n{_test_command('NAME')}"
    return View(
        ("name", *numbers, "metric"), rows, frozenset(numbers), frozenset(["name"]), below=below
    )


def comparison_view(found: Comparison) -> View:
    """Return what each two circuits have in common, below the three numbers of each."""
    circuits = circuits_view(found.circuits)
    numbers = ("features", "interactions", "only_first", "only_second")
    rows = [
        (
            row["first"],
            row["second"],
            f"{row['features']} ({fixed_cell(row['features_jaccard'])})",
            f"{row['interactions']} ({fixed_cell(row['interactions_jaccard'])})",
            str(row["only_first"]),
            str(row["only_second"]),
        )
        for row in records_of(found.pairs)
    ]
    above = "\n".join([*circuits.lines(), circuits.below, "", "In common:"])
    columns, below = ("first", "second", *numbers), "In brackets: the Jaccard index."
    return View(columns, rows, frozenset(numbers), above=above, below=below)


def table_view(table: Table) -> View:
    """Return the rows of a text of the user's own."""
    columns = tuple(str(name) for name in table.frame.columns)
    numbers = [name for name in columns if table.frame[name].dtype.kind in "iuf"]
    rows = [tuple(value_cell(cell) for cell in row.values()) for row in table.records()]
    below = "" if rows else "No rows."
    return View(columns, rows, frozenset(numbers), below=below)


def unusual_view(table: Table) -> View:
    """Return interactions that one run uses and another does not."""
    numbers = ("strength", "other_strength", "ratio", "share", "other_share")
    columns = ("source", "target", *numbers, "labels")
    rows = [
        (
            short_id(row["source"]),
            short_id(row["target"]),
            *(number_cell(row[name]) for name in numbers),
            _labels(row["source_label"], row["target_label"]),
        )
        for row in table.records()
    ]
    below = "" if rows else "It uses nothing of this share. Try a smaller --min-share."
    return View(columns, rows, frozenset(numbers), frozenset(["source", "target"]), below=below)


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


def _without_empty(view: View, *names: str) -> View:
    """Leave out those columns of `names` in which no row says anything."""
    told = [
        at for at, name in enumerate(view.columns)
        if name not in names or not view.rows or any(row[at] for row in view.rows)
    ]  # fmt: skip
    rows = [tuple(row[at] for at in told) for row in view.rows]
    return replace(view, columns=tuple(view.columns[at] for at in told), rows=rows)


def _labels(source: str | None, target: str | None) -> str:
    return f"{source or '–'}{ARROW}{target or '–'}" if source or target else ""
