"""What a notebook shows of each answer: the table that the command line prints, with bars.

A label is what its writer wrote: all texts are escaped where they become HTML.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lib_graph.support.showing import Bar, Display, block, paragraph, table_html
from lib_graph.support.tables import Record
from lib_graph.support.view import View
from queries.asking.statements import Statement
from queries.views.answers import (
    answer_view,
    circuit_view,
    features_view,
    interactions_view,
    paths_view,
    short_id,
)
from queries.views.cells import text_cell

if TYPE_CHECKING:
    from queries.asking.tables import Table
    from queries.circuits.circuit import Circuit
    from queries.circuits.paths import Paths
    from queries.graph import Graph

__all__ = ["circuit_display", "graph_display", "paths_display", "table_display"]

DRAWN = 150  # interactions of a circuit: more of them are no picture any more
INTERACTION = {"source", "target", "strength", "stderr", "effect", "source_label", "target_label"}
FEATURE = {"id", "role", "importance", "variance", "label"}


def table_display(table: Table) -> Display:
    """Return rows as the verb of the same name prints them."""
    rows, run = table.records(), _run_of(table.statements)
    if set(table.frame.columns) >= INTERACTION:
        view = interactions_view(table)
    elif set(table.frame.columns) >= FEATURE:
        view = features_view(table)
    else:
        view = answer_view(table, run or "", None)
    bars = {"share": [_bar(row) for row in rows]} if "share" in view.columns else {}
    return _display(f"{len(rows):,} rows of run {run}" if run else "", view, bars)


def paths_display(paths: Paths) -> Display:
    """Return paths, the strongest first, their strength as a bar."""
    query = paths.query
    about = f"{len(paths)} strongest paths"
    if query:
        about += f" from {query['source']} to {query['target']}"
    view = paths_view(paths)
    bars = {"strength": [Bar(path.strength) for path in paths.paths]}
    return _display(f"{about}, run {_run_of(paths.statements)}", view, bars)


def circuit_display(circuit: Circuit) -> Display:
    """Return a circuit as its picture, above its interactions."""
    view = circuit_view(circuit)
    name = "circuit" if circuit.name is None else f"circuit {circuit.name}"
    bars = {"share": [_bar(row) for row in circuit.records()]}
    picture = ""
    if 0 < len(circuit) <= DRAWN:
        picture = _picture(circuit, name)
    elif len(circuit):
        picture = paragraph(f"More than {DRAWN} interactions are no picture any more.")
    return _display(f"{name} of run {circuit.run}", view, bars, picture)


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
    return _display(about, view)


def _display(
    about: str, view: View, bars: dict[str, list[Bar]] | None = None, picture: str = ""
) -> Display:
    lines = [about, view.above, *view.lines(), view.below]
    html = block(
        paragraph(about), picture, paragraph(view.above), table_html(view, bars),
        paragraph(view.below),
    )  # fmt: skip
    return Display("\n".join(line for line in lines if line), html)


def _picture(circuit: Circuit, name: str) -> str:
    """Return the picture of a circuit; its ids are its own, as pictures share a notebook's page."""
    from queries.pictures.circuit import draw_circuit
    from queries.report.svg import inline_svg

    digest = hashlib.sha256(repr(circuit.pairs()).encode()).hexdigest()[:8]
    svg = inline_svg(draw_circuit(circuit), f"lg{digest}", f"The {name}, a column per layer")
    return f"<figure>{svg}</figure>"


def _bar(row: Record) -> Bar:
    return Bar(row["share"], row.get("effect"))


def _run_of(statements: Sequence[Statement]) -> str:
    """Return the run that Cypher texts asked about, nothing if they asked about none."""
    runs = (each.parameters.get("run") for each in statements)
    return next((str(run) for run in runs if run is not None), "")
