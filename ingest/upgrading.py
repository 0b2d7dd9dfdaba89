"""Bring runs that an older lib-graph loaded to the graph of today, where they are.

Each step finds out by itself what is left to do, and the version is set last: an upgrade that was
cut off is finished by the same call, and until then the run is refused to readers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from ingest.pieces import PIECE_ROWS
from ingest.schema import GRAPH_VERSION
from ingest.store import using_store
from ingest.store.protocol import GraphStore, Parameters, Transaction
from ingest.store.shares import LEAST_SHARE
from ingest.versions import check_versions, stored_versions
from lib_graph.support.arguments import checked
from lib_graph.support.progress import USUAL, Progress

__all__ = ["upgrade"]

DEGREES = """
MATCH (f:Feature {run: $run})-[i:INTERACTS]->()
RETURN f.id AS id, count(i) AS degree
"""
# From version 1: what flows out of a constant feature has a type of its own, what follows from the
# ends of a relationship is not on it, and a share too small for a number is the smallest there is.
APART = """
MATCH (s:Feature)-[i:INTERACTS]->(t:Feature)
WHERE s.id IN $ids AND s.role = 'constant'
CREATE (s)-[:CONSTANT {strength: i.strength, stderr: i.stderr, effect: i.effect}]->(t)
DELETE i
"""
BARE = """
MATCH (s:Feature)-[i:INTERACTS]->()
WHERE s.id IN $ids
REMOVE i.run, i.layer_index
"""
POSITIVE = """
MATCH (s:Feature)-[i:INTERACTS]->()
WHERE s.id IN $ids AND i.cost IS NULL
SET i.share = $share, i.cost = $cost
"""
UPGRADED = "MATCH (r:Run {id: $run}) SET r.schema_version = $version"


@checked
def upgrade(store: object = None, *, progress: Progress = USUAL) -> list[str]:
    """Return the ids of the complete runs that were brought to GRAPH_VERSION.

    Runs whose load was cut off are left: loading them begins anew. Raises StoreUnavailableError if
    the store cannot be used or holds a run of a newer lib-graph, which is left as it is.
    """
    with using_store(store) as graph:
        stored_versions(graph)  # where there is no store, writing would begin one
        with graph.writing():
            return _upgrade_all(graph, progress)


def _upgrade_all(graph: GraphStore, progress: Progress) -> list[str]:
    versions = stored_versions(graph)
    old = [run for run, version in versions.items() if version < GRAPH_VERSION]
    check_versions(graph.name, {run: v for run, v in versions.items() if run not in old})
    if old:
        graph.ensure_schema()
    for run in old:
        _upgrade_run(graph, run, progress)
    return old


def _upgrade_run(graph: GraphStore, run: str, progress: Progress) -> None:
    groups = list(_groups(graph, run))
    least = {"share": LEAST_SHARE, "cost": -float(np.log(LEAST_SHARE))}
    with progress.stage(f"upgrading {run}", len(groups)) as advance:
        for ids in groups:
            graph.transact(partial(_upgrade_some, parameters={"run": run, "ids": ids, **least}))
            advance(1)
    done = {"run": run, "version": GRAPH_VERSION}
    graph.transact(lambda transaction: transaction.execute(UPGRADED, done))


def _upgrade_some(transaction: Transaction, *, parameters: Parameters) -> None:
    for text in (APART, BARE, POSITIVE):
        transaction.execute(text, parameters)


def _groups(graph: GraphStore, run: str) -> Iterator[list[str]]:
    """Yield ids of features that together have about PIECE_ROWS interactions."""
    group: list[str] = []
    size = 0
    for row in graph.execute(DEGREES, {"run": run}):
        group.append(row["id"])
        size += row["degree"]
        if size >= PIECE_ROWS:
            yield group
            group, size = [], 0
    if group:
        yield group
