"""What Python and notebooks show of each answer: the table that the command line prints, with bars.

A label is what its writer wrote: all texts are escaped where they become HTML.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lib_graph.run.circuit import INTERACTION_COLUMNS
from lib_graph.support.showing import Bar, Display, paragraph
from lib_graph.support.tables import Record
from lib_graph.support.texts import counted
from lib_graph.support.view import View
from queries.asking.runs import RunInfo
from queries.asking.statements import Statement
from queries.asking.tables import Table
from queries.views.answers import (
    answer_view,
    circuit_view,
    circuits_view,
    comparison_view,
    features_view,
    interactions_view,
    paths_view,
    runs_view,
    short_id,
)
from queries.views.cells import text_cell
from queries.views.modules import (
    communities_view,
    module_flow_view,
    module_table_view,
    runs_compared_view,
)

if TYPE_CHECKING:
    import pandas as pd

    from queries.circuits.circuit import Circuit
    from queries.circuits.compared import Comparison
    from queries.circuits.paths import Paths
    from queries.comparing.runs import RunComparison
    from queries.graph import Graph
    from queries.modules.communities import Communities
    from queries.modules.flow import ModuleFlow
    from queries.modules.table import ModuleTable

__all__ = [
    "circuit_display",
    "communities_display",
    "comparison_display",
    "graph_display",
    "module_flow_display",
    "module_table_display",
    "paths_display",
    "rows_display",
    "runs_compared_display",
    "table_display",
]

DRAWN = 150  # interactions of a circuit: more of them are no picture any more
VIEWS = {  # of a table that has these columns
    frozenset(INTERACTION_COLUMNS): interactions_view,
    frozenset(["id", "role", "importance", "variance", "label"]): features_view,
    frozenset(
        [
            "name",
            "features",
            "interactions",
            "score",
            "baseline",
            "random_score",
            "metric",
            "query",
        ]
    ): circuits_view,
    frozenset(RunInfo.__annotations__): runs_view,
}


def table_display(table: Table) -> Display:
    """Return rows as the verb of the same name prints them."""
    rows, run, columns = table.records(), _run_of(table.statements), set(table.frame.columns)
    view = next(
        (view for needed, view in VIEWS.items() if columns >= needed),
        lambda other: answer_view(other, run, None),
    )(table)
    parts = columns >= {"share"} and table.frame["share"].dtype.kind == "f"
    bars = {"share": [_bar(row) for row in rows]} if parts and "share" in view.columns else {}
    of_run = f" of run {run}" if run else ""
    return Display(f"{counted(len(rows), 'row')}{of_run}", replace(view, below=""), bars)


def paths_display(paths: Paths) -> Display:
    """Return paths, the strongest first, their strength as a bar."""
    query = paths.query
    about = f"the {counted(len(paths), 'strongest path')}" if len(paths) else "no path"
    if query:
        about += f" from {query['source']} to {query['target']}"
    view = paths_view(paths, whole="to_pandas() has all", freely="distinct=0 ends that")
    bars = {"strength": [Bar(path.strength) for path in paths.paths]}
    if run := _run_of(paths.statements):
        about += f", run {run}"
    return Display(about, view, bars)


def circuit_display(circuit: Circuit) -> Display:
    """Return a circuit as its picture, above its interactions."""
    view = circuit_view(circuit)
    name = "circuit" if circuit.name is None else f"circuit {circuit.name}"
    bars = {"share": [_bar(row) for row in circuit.records()]}
    return Display(
        f"{name} of run {circuit.run}", view, bars, picture=lambda: _picture(circuit, name)
    )


def graph_display(graph: Graph) -> Display:
    """Return the run that a graph is of, and its layers."""
    run = graph.run
    about = f"run {run.name} ({run.id}) in {graph.store.name}: {run.model} in the basis {run.basis}"
    largest = graph.features(sort="importance").frame.drop_duplicates("layer")
    first = {str(row["layer"]): row for row in largest.to_dict("records")}
    rows = [
        (
            layer.name,
            f"{layer.features:,}",
            f"{layer.width:,}",
            short_id(first[layer.name]["id"]) if layer.name in first else "",
            text_cell(first[layer.name]["label"]) if layer.name in first else "",
        )
        for layer in graph.layers
    ]
    view = View(
        ("layer", "features", "width", "most important", "its label"), rows,
        frozenset(["features", "width"]),
        below=f"{run.interactions:,} interactions. show() opens the page of this run.",
    )  # fmt: skip
    return Display(about, view)


def communities_display(found: Communities) -> Display:
    """Return modules, the largest first, with Q."""
    about = f"{counted(len(found), 'module')} of run {found.run}, by {found.method}"
    return Display(about, communities_view(found))


def module_table_display(found: ModuleTable) -> Display:
    """Return how good modules are, a row per resolution."""
    return Display(f"modules of run {found.run}, by {found.method}", module_table_view(found))


def module_flow_display(found: ModuleFlow) -> Display:
    """Return what flows between modules."""
    return Display(f"flow between modules of run {found.run}", module_flow_view(found))


def runs_compared_display(found: RunComparison) -> Display:
    """Return runs side by side."""
    return Display(f"{counted(len(found.runs), 'run')} side by side", runs_compared_view(found))


def comparison_display(found: Comparison) -> Display:
    """Return circuits side by side."""
    several = counted(len(found.circuits.frame), "circuit")
    return Display(f"{several} side by side", comparison_view(found))


def rows_display(about: str, frame: pd.DataFrame, run: str) -> Display:
    """Return rows without a view of their own, ids without their run."""
    view = answer_view(Table(frame), run, None)
    return Display(f"{about}: {counted(len(frame), 'row')}", replace(view, below=""))


def _picture(circuit: Circuit, name: str) -> str:
    """Return the picture of a circuit; its ids are its own, as pictures share a notebook's page."""
    if not len(circuit):
        return ""
    if len(circuit) > DRAWN:
        return paragraph(f"More than {DRAWN} interactions are no picture any more.")
    from queries.pictures.circuit import draw_circuit
    from queries.report.svg import inline_svg

    digest = hashlib.sha256(repr(circuit.pairs()).encode()).hexdigest()[:8]
    svg = inline_svg(draw_circuit(circuit), f"lg{digest}", f"The {name}, a column per layer")
    return f"<figure>{svg}</figure>"


def _bar(row: Record) -> Bar:
    effect = row.get("effect")
    return Bar(row["share"], effect if isinstance(effect, float) else None)


def _run_of(statements: Sequence[Statement]) -> str:
    """Return the run that Cypher texts asked about, nothing if they asked about none."""
    runs = (each.parameters.get("run") for each in statements)
    return next((str(run) for run in runs if run is not None), "")
