"""What ablations found."""

from __future__ import annotations

import pandas as pd

from lib_graph.support.tables import records_of
from lib_graph.support.view import View
from queries.asking.ablations import Ablations
from queries.pictures.ablation import draw_ablations
from queries.report.blocks import Block, Chapter, Grid, Missing, Words
from queries.report.source import Source
from queries.report.svg import picture
from queries.views.cells import number_cell

__all__ = ["ablation_part"]

SCORES = ("score", "baseline", "random_score")
TABLES = (  # kind, title, columns, folded
    ("edges_required", "Interactions required", ("layer", "basis", "delta", "edges"), False),
    ("circuit", "Circuits", ("metric", "edges", "nodes"), False),
    ("node_curve", "All numbers: features kept", ("layer", "basis", "nodes"), True),
    ("edge_curve", "All numbers: interactions kept", ("layer", "basis", "edges"), True),
)


def ablation_part(source: Source) -> Chapter:
    """Return the curves, what is required, and all numbers; else the commands that make them."""
    found = source.graph.ablations()
    make = tuple(f"lib-graph ablate {source.path} {what}" for what in ("nodes", "edges"))
    blocks: tuple[Block, ...] = (
        Missing("Nothing of this run was ablated, so nothing says whether the network works with a "
                "part of this graph alone.", (*make, source.ingest())),
    )  # fmt: skip
    if found is not None:
        blocks = tuple(_blocks(found))
    elif (base := source.manifest.base) is not None:
        blocks = (Words(f"One input is not ablated: the features are those of run {base}."),)
    about = (
        "The network's score on held-out data with only the most important features of a layer, or "
        "only the strongest interactions of a section; everything else is at its mean. Beside it: "
        "the score of the whole network (baseline) and that with as many at random."
    )
    commands = (*make, source.ask("plot ablation.svg --of ablation"))
    return Chapter("ablation", "Ablations", about, blocks, commands if found is not None else ())


def _blocks(found: Ablations) -> list[Block]:
    caption = f"Score ({found.metric}) against what is kept. Dotted: as many at random."
    curves = found.of_kind("node_curve"), found.of_kind("edge_curve")
    blocks: list[Block] = []
    if any(len(rows) for rows in curves):
        blocks.append(picture("ablation", lambda: draw_ablations(found), caption))
    for kind, title, columns, folded in TABLES:
        rows = found.of_kind(kind)
        if len(rows):
            of = "" if "metric" in columns else f" ({found.metric})"
            blocks.append(Grid(f"{title}{of}", _view(rows, columns), folded))
    return blocks


def _view(rows: pd.DataFrame, columns: tuple[str, ...]) -> View:
    cells = [
        (*(str(row[name]) for name in columns), *(number_cell(row[name]) for name in SCORES))
        for row in records_of(rows)
    ]
    return View((*columns, *SCORES), cells, frozenset(("delta", "edges", "nodes", *SCORES)))
