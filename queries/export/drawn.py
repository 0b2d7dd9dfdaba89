"""A graph as programs that draw graphs want it: labels, weights, places, and what it is of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lib_graph.run.circuit import INTERACTION_COLUMNS
from lib_graph.support.tables import Record, records_of
from lib_graph.support.texts import printable

__all__ = ["DrawnGraph", "draw"]

ACROSS, DOWN = 200.0, 40.0  # from one layer to the next, and from one feature to the next
STRENGTHS = ("strength", "stderr", "effect", "share")


@dataclass(frozen=True)
class DrawnGraph:
    """Nodes and edges with plain values, those that are missing left out.

    Every node has `id`, a `label` that is not empty, `name` (the same), x and y, by layer; every
    edge `source`, `target` and `weight`. `about` says what the graph is of.
    """

    about: Record
    nodes: Sequence[Record]
    edges: Sequence[Record]


def draw(
    features: pd.DataFrame, interactions: pd.DataFrame, about: Mapping[str, Any]
) -> DrawnGraph:
    """Return features and interactions as a graph.

    `weight` is the strength. A label is the feature's, else its id; where several features have
    one, its id is put behind. Features stand by layer from left to right, and down by index.
    """
    rows = records_of(features)
    labels = _labels(rows)
    columns = {layer: i for i, layer in enumerate(sorted({row["layer_index"] for row in rows}))}
    below: Counter[int] = Counter()
    nodes = []
    for row, label in zip(rows, labels, strict=True):
        column = columns[row["layer_index"]]
        place = {"x": ACROSS * column, "y": DOWN * below[column]}
        below[column] += 1
        whole = {**row, "label": label, "name": label, "constant": row["role"] == "constant"}
        nodes.append({**_present(whole), **place})
    edges = [
        {"source": printable(row["source"]), "target": printable(row["target"]),
         "weight": row["strength"],
         **_present({name: row[name] for name in STRENGTHS})}
        for row in records_of(interactions[list(INTERACTION_COLUMNS)])
    ]  # fmt: skip
    return DrawnGraph(_present(about), nodes, edges)


def _labels(rows: Sequence[Record]) -> list[str]:
    """Return a label for each feature, which none other has."""
    given = [printable(str(row["label"] or "")).strip() for row in rows]
    often = Counter(label for label in given if label)
    return [
        (label if often[label] == 1 else f"{label} ({row['id']})") if label else str(row["id"])
        for row, label in zip(rows, given, strict=True)
    ]


def _present(row: Mapping[str, Any]) -> Record:
    return {
        key: printable(value) if isinstance(value, str) else value
        for key, value in row.items()
        if value is not None
    }
