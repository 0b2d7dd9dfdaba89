"""What drives what: sparsity, the strongest interactions and paths, circuits."""

from __future__ import annotations

import shlex
from itertools import pairwise

from lib_graph.support.view import View
from queries.circuits.circuit import Circuit
from queries.comparing.runs import layer_rows
from queries.modules.communities import Communities
from queries.pictures.circuit import describe_saved, draw_circuit
from queries.report.blocks import Block, Grid, Missing, Part, Words
from queries.report.source import Subject
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


def interactions_part(subject: Subject) -> Part:
    """Return how sparse the interactions of each section are, and the strongest of all."""
    found, _ = layer_rows(subject.graph)
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
    strongest = interactions_view(subject.graph.interactions(limit=ROWS))
    about = (
        "Strength is a mean square over the data, effect the signed mean, share the part of the "
        "strength into the target. Beside the number of interactions: how many of the strongest "
        "make up 90 and 99 % of all strength, the Gini index and Hoyer's sparsity (1: a single "
        "interaction has all of it)."
    )
    unusual = () if subject.manifest.base is None else (subject.ask("unusual"),)
    return Part(
        "interactions", "Interactions", about,
        (
            Grid("Sparsity", View(columns, rows, frozenset(columns[1:]))),
            Grid(f"The {len(strongest.rows)} strongest", strongest),
        ),
        (subject.ask(f"interactions -n {ROWS}"), *unusual),
    )  # fmt: skip


def paths_part(subject: Subject, communities: Communities) -> Part:
    """Return the strongest paths, as a table and as a picture."""
    paths = subject.graph.paths(k=PATHS)
    about = (
        "The strength of a path is the product of its shares: the probability that a walk from the "
        "target backwards, choosing each step in proportion to strength, takes this path."
    )
    blocks: list[Block] = [Words("No path leads from the first layer to the last.")]
    if len(paths):
        shown = paths_view(paths)
        view = View(shown.columns, shown.rows[:ROWS], shown.numbers)
        circuit = subject.graph.circuit_of(paths)
        caption = f"The {len(paths)} strongest paths. {KEY}"
        blocks = [Grid("", view), _layered("paths", circuit, communities, caption)]
    commands = (
        subject.ask(f"paths -k {ROWS}"),
        subject.ask(f"plot paths.svg --of paths -n {PATHS}"),
    )
    return Part("paths", "The strongest paths", about, tuple(blocks), commands)


KEY = (
    "Columns are layers, width is share, colour and small number are the module. Modules have the "
    "same number in all pictures, colours differ."
)


def circuits_part(subject: Subject, communities: Communities) -> Part:
    """Return the circuit that leads to the end of the strongest path, and those that are saved."""
    about = (
        "A circuit is a hypothesis until it is tested: its size, the network's score with nothing "
        "but the circuit, and that with random circuits of its size stand side by side. A circuit "
        "that leads to one answer cannot score on the accuracy over all answers."
    )
    grown, commands = _grown(subject, communities)
    return Part("circuits", "Circuits", about, (*grown, *_saved(subject, communities)), commands)


def _grown(subject: Subject, communities: Communities) -> tuple[list[Block], tuple[str, ...]]:
    best = subject.graph.paths(k=1).paths
    if not best:
        return [], ()
    target = short_id(best[0].path[-1])
    size = max(SIZE, PER_SECTION * (len(subject.graph.layers) - 1))
    circuit = subject.graph.grow_circuit(target=target, size=size)
    caption = (
        f"What leads to {target}, the end of the strongest path: the circuit of {len(circuit)} "
        f"interactions between {len(circuit.features)} features, grown by what flows. {KEY}"
    )
    commands = (
        subject.ask(f"circuit --to {shlex.quote(target)} --size {size} --save grown"),
        subject.ask("plot circuit.svg --of circuit --saved grown"),
    )
    return [_layered("grown", circuit, communities, caption)], commands


def _saved(subject: Subject, communities: Communities) -> list[Block]:
    table = subject.graph.circuits.table()
    if not len(table.frame) and subject.folder is not None and subject.store is None:
        return [
            Missing(
                "Saved circuits are in a store. A report that names the store shows them.",
                (f"lib-graph report {subject.path} --store lib-graph.kgl",),
            )
        ]
    if not len(table.frame):
        return [
            Missing("No circuit is saved.", (subject.ask("circuit --to LAYER/INDEX --save NAME"),))
        ]
    blocks: list[Block] = [Grid("Saved circuits", circuits_view(table))]
    for number, name in enumerate(table.frame["name"][:DRAWN], 1):
        circuit = subject.graph.circuits.load(name)
        caption = f"{describe_saved(circuit)}. {KEY}"
        if len(circuit) <= MOST:
            blocks.append(_layered(f"saved{number}", circuit, communities, caption))
    return blocks


def _layered(name: str, circuit: Circuit, communities: Communities, caption: str) -> Block:
    return picture(name, lambda: draw_circuit(circuit, communities=communities), caption)
