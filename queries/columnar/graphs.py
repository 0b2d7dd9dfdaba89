"""Twins of the texts that ask about all attribution graphs of a store."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ingest.store.columns import Columns, KeptRuns
from ingest.store.numbers import find_numbered

__all__ = ["graphs_with"]

INPUTS = 3  # of each node
NODE = ("id", "position", "token", "activation", "influence")
COLUMNS = ["graph", "feature", *NODE[1:], "inputs", "shares", "prompt"]


def graphs_with(
    kept: KeptRuns, run: str, *, layer: int, number: int, k: int
) -> pd.DataFrame | None:
    """Twin of library/graphs_with.cypher; None where not all that it needs is kept."""
    if kept.numbered is None:
        return None
    try:
        found = find_numbered(kept.folder / kept.numbered, layer, number)
    except (OSError, ValueError, OverflowError):
        return None
    model = next(each["model"] for each in kept.runs if each["id"] == run)
    graphs = [each for each in kept.runs if each["id"] in found and each["model"] == model]
    rows: list[dict[str, Any]] = []
    for graph in sorted(graphs, key=lambda each: (each["name"], each["id"])):
        if len(rows) >= k:
            break
        columns = kept.read(str(graph["id"]))
        if columns is None:
            return None
        of_graph = {"graph": graph["name"], "prompt": graph["prompt"]}
        rows += [{**of_graph, **node} for node in _nodes(columns, found[str(graph["id"])])]
    return pd.DataFrame(rows[:k], columns=COLUMNS)


def _nodes(columns: Columns, rows: list[int]) -> list[dict[str, Any]]:
    """Return the nodes in some rows with their largest inputs, by position and id."""
    nodes = columns.of_rows(rows, *NODE).to_pylist()
    for node, row in zip(nodes, rows, strict=True):
        node |= {"feature": node.pop("id"), **_inputs(columns, row)}
    return sorted(nodes, key=lambda node: (node["position"], node["feature"]))


def _inputs(columns: Columns, row: int) -> dict[str, list[Any]]:
    into = columns.into(int(columns.layer[row]), "share")
    into = into.take(into.target == row)
    share = into["share"]
    sources = columns.of_rows(into.source, "id", "label").to_pylist()
    order = sorted(np.arange(len(share)).tolist(), key=lambda i: (-share[i], sources[i]["id"]))
    first = order[:INPUTS]
    return {"inputs": [sources[i]["label"] for i in first], "shares": share[first].tolist()}
