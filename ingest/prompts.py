"""What an attribution graph says beside its numbers, held against what a store has of it.

A run is known by what is in its graph. Another file of the same graph may have other metadata,
another saved view, and other fields of its nodes that no column holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from ingest.contents import Contents
from ingest.pieces import PIECE_ROWS
from ingest.pins import PINNED
from ingest.store.protocol import GraphStore, Row, Transaction
from lib_graph.support.texts import counted

__all__ = ["other_words", "take_words"]

RUN = "MATCH (r:Run {id: $run}) RETURN r.manifest AS manifest"
NODES = "MATCH (f:Feature {run: $run}) RETURN f.id AS id, f.extra AS extra"
TAKE_RUN = "MATCH (r:Run {id: $run}) SET r += $properties"
TAKE_NODES = """
UNWIND $rows AS row
MATCH (f:Feature {id: row.id})
WHERE f.run = $run
SET f.extra = row.extra
"""
FORGET_PINS = "MATCH (c:Circuit {id: $circuit}) WHERE c.run = $run DETACH DELETE c"


def other_words(graph: GraphStore, contents: Contents) -> tuple[str, ...]:
    """Return what a store has otherwise than the file of an attribution graph, () for nothing.

    Named as in the file, such as metadata.info; the labels, which `update_labels` brings, are none
    of it. Of a run over data there is nothing to compare.
    """
    prompt = contents.run.manifest.prompt
    if prompt is None:
        return ()
    (row,) = graph.execute(RUN, {"run": contents.run.id})
    stored = json.loads(row["manifest"])["prompt"]
    found = _differing(stored, prompt.model_dump(mode="json"))
    nodes = len(_other_nodes(graph, contents))
    return (*found, *([f"fields of {counted(nodes, 'node')}"] if nodes else []))


def take_words(graph: GraphStore, contents: Contents) -> None:
    """Give a run in a store all that its file says, and take what was pinned there away."""
    run = contents.run.id
    given = contents.run_properties()
    properties = {name: given[name] for name in ("name", "model", "prompt", "created", "manifest")}
    rows = _other_nodes(graph, contents)

    def take(transaction: Transaction) -> None:
        transaction.execute(TAKE_RUN, {"run": run, "properties": properties})
        transaction.execute(FORGET_PINS, {"run": run, "circuit": f"{run}/{PINNED}"})

    graph.transact(take)
    for start in range(0, len(rows), PIECE_ROWS):
        graph.transact(partial(_take_nodes, run=run, rows=rows[start : start + PIECE_ROWS]))


def _take_nodes(transaction: Transaction, *, run: str, rows: list[Row]) -> None:
    transaction.execute(TAKE_NODES, {"run": run, "rows": rows})


def _differing(stored: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of what differs: keys of the file, and those within metadata and qParams."""
    for part, name in (("metadata", "metadata."), ("view", "qParams."), ("extra", "")):
        before, now = stored[part], given[part]
        for key in sorted({*before, *now}):
            if (key in before, before.get(key)) != (key in now, now.get(key)):
                yield name + key


def _other_nodes(graph: GraphStore, contents: Contents) -> list[Row]:
    """Return id and `extra` of the nodes that have another one in the store."""
    run = contents.run.id
    stored = {row["id"]: row["extra"] for row in graph.execute(NODES, {"run": run})}
    nodes = contents.feature_nodes(run)
    given = nodes["extra"].astype(object).where(nodes["extra"].notna(), None)
    return [
        {"id": place, "extra": extra}
        for place, extra in zip(nodes["id"], given, strict=True)
        if stored.get(place) != extra
    ]
