"""What drives what: sparsity, the strongest interactions and paths, circuits."""

from __future__ import annotations

import shlex
from itertools import pairwise

from lib_graph.support.texts import counted
from lib_graph.support.view import View
from queries.circuits.circuit import Circuit
from queries.comparing.runs import layer_rows
from queries.modules.communities import Communities
from queries.pictures.circuit import describe_saved, draw_circuit
from queries.report.blocks import Block, Chapter, Grid, Missing, Words
from queries.report.source import Source
from queries.report.svg import picture
from queries.views.answers import circuits_view, interactions_view, paths_view, short_id
from queries.views.cells import fixed_cell

__all__ = ["circuits_part", "interactions_part", "paths_part"]

ROWS = 10  # of a table
PATHS = 15  # of a picture
SIZE = 40  # interactions of the circuit that is grown, or PER_SECTION for each section if more
PER_SECTION = 2
MOST = 150  # interactions of a saved circuit that is drawn
DRAWN = 6  # saved circuits that are drawn


def interactions_part(source: Source) -> Chapter:
    """Return how sparse the interactions of each section are, and the strongest of all."""
    found, _ = layer_rows(source.graph)
    columns = ("section", "interactions", "for 90 %", "for 99 %", "Gini", "Hoyer")
    rows = [
        (
            f"{row['layer']} → {after['layer']}",
            f"{row['interactions']:,}",
            *("" if row[name] is None else f"{row[name]:,}" for name in ("for_90", "for_99")),
            fixed_cell(row["gini"]),
            fixed_cell(row["hoyer"]),
        )
        for row, after in pairwise(found)
    ]
    strongest = interactions_view(source.graph.interactions(limit=ROWS))
    about = (
        "Strength is a mean square over the data, effect the signed mean, share the part of the "
        "strength into the target. Beside the number of interactions: how many of the strongest "
        "make up 90 and 99 % of all strength, the Gini index and Hoyer's sparsity (1: a single "
        "interaction has all of it)."
    )
    unusual = () if source.manifest.base is None else (source.ask("unusual"),)
    return Chapter(
        "interactions", "Interactions", about,
        (
            Grid("Sparsity", View(columns, rows, frozenset(columns[1:]))),
            Grid(f"The {len(strongest.rows)} strongest", strongest),
        ),
        (source.ask(f"interactions -n {ROWS}"), *unusual),
    )  # fmt: skip


def paths_part(source: Source, communities: Communities) -> Chapter:
    """Return the strongest paths, as a table and as a picture."""
    paths = source.graph.paths(k=PATHS)
    about = (
        "The strength of a path is the product of its shares: the probability that a walk from the "
        "target backwards, choosing each step in proportion to strength, takes this path."
    )
    blocks: list[Block] = [Words("No path leads from the first layer to the last.")]
    if len(paths):
        shown = paths_view(paths)
        view = View(shown.columns, shown.rows[:ROWS], shown.numbers)
        circuit = source.graph.circuit_of(paths)
        caption = f"The {len(paths)} strongest paths. {KEY}"
        blocks = [Grid("", view), _layered("paths", circuit, communities, caption)]
    commands = (
        source.ask(f"paths -k {ROWS}"),
        source.ask(f"plot paths.svg --of paths -n {PATHS}"),
    )
    return Chapter("paths", "The strongest paths", about, tuple(blocks), commands)


KEY = (
    "Columns are layers, width is share, colour and small number are the module. Modules have the "
    "same number in all pictures, colours differ."
)


def circuits_part(source: Source, communities: Communities) -> Chapter:
    """Return the circuit that leads to the end of the strongest path, and those that are saved."""
    about = (
        "A circuit is a hypothesis until it is tested: its size, the network's score with nothing "
        "but the circuit, and that with random circuits of its size stand side by side. A circuit "
        "that leads to one answer cannot score on the accuracy over all answers."
    )
    grown, commands = _grown(source, communities)
    return Chapter("circuits", "Circuits", about, (*grown, *_saved(source, communities)), commands)


def _grown(source: Source, communities: Communities) -> tuple[list[Block], tuple[str, ...]]:
    best = source.graph.paths(k=1).paths
    if not best:
        return [], ()
    target = short_id(best[0].path[-1])
    size = max(SIZE, PER_SECTION * (len(source.graph.layers) - 1))
    circuit = source.graph.grow_circuit(target=target, size=size)
    caption = (
        f"What leads to {target}, the end of the strongest path: the circuit of "
        f"{counted(len(circuit), 'interaction')} between "
        f"{counted(len(circuit.features), 'feature')}, grown by what flows. {KEY}"
    )
    commands = (
        source.ask(f"circuit --target {shlex.quote(target)} --size {size} --save grown"),
        source.ask("plot circuit.svg --of circuit --saved grown"),
    )
    return [_layered("grown", circuit, communities, caption)], commands


def _saved(source: Source, communities: Communities) -> list[Block]:
    table = source.graph.circuits.table()
    if not len(table.frame) and source.folder is not None and source.store is None:
        return [
            Missing(
                "Saved circuits are in a store. A report that names the store shows them.",
                (f"lib-graph report {source.path} --store lib-graph.kgl",),
            )
        ]
    if not len(table.frame):
        return [
            Missing(
                "No circuit is saved.", (source.ask("circuit --target LAYER/INDEX --save NAME"),)
            )
        ]
    blocks: list[Block] = [
        Grid("Saved circuits", circuits_view(table, network=source.manifest.prompt is None))
    ]
    for number, name in enumerate(table.frame["name"][:DRAWN], 1):
        circuit = source.graph.circuits.load(name)
        caption = f"{describe_saved(circuit)}. {KEY}"
        if len(circuit) <= MOST:
            blocks.append(_layered(f"saved{number}", circuit, communities, caption))
    return blocks


def _layered(name: str, circuit: Circuit, communities: Communities, caption: str) -> Block:
    return picture(name, lambda: draw_circuit(circuit, communities=communities), caption)
