"""Give a run that was loaded beside another the other's id, in pieces.

Ids are unique, so a replacement waits under `staged(run)`. When the run it replaces is gone, the
Run and its layers change their id at once; the features follow a few at a time, and a load that is
interrupted here goes on with those that are left.
"""

from __future__ import annotations

from functools import partial

from ingest.deleting import staged
from ingest.store.protocol import GraphStore, Transaction

__all__ = ["adopt_features", "take_place"]

FEATURES_AT_ONCE = 20

RENAME = (
    "MATCH (r:Run {id: $staged}) SET r.id = $run",
    "MATCH (c:Checkpoint {id: $staged}) SET c.id = $run, c.run = $run",
    "MATCH (l:Layer {run: $staged}) SET l.run = $run, l.id = $run + '/' + l.name",
)
LEFT = "MATCH (f:Feature {run: $staged}) RETURN f.id AS id LIMIT $limit"
ADOPT = (
    "MATCH (f:Feature) WHERE f.id IN $ids "
    "SET f.run = $run, f.id = $run + '/' + f.layer + '/' + toString(f.index)"
)


def take_place(graph: GraphStore, run: str) -> None:
    """Give the staged Run, its layers and its checkpoint the id of the run it replaces."""

    def rename(transaction: Transaction) -> None:
        for text in RENAME:
            transaction.execute(text, {"run": run, "staged": staged(run)})

    graph.transact(rename)


def adopt_features(graph: GraphStore, run: str) -> None:
    """Give the features that are still under the staged id the run's."""
    while graph.transact(partial(_adopt_some, run=run)):
        pass


def _adopt_some(transaction: Transaction, *, run: str) -> int:
    """Adopt up to FEATURES_AT_ONCE features and return how many."""
    names = {"staged": staged(run), "limit": FEATURES_AT_ONCE}
    ids = [row["id"] for row in transaction.execute(LEFT, names)]
    if ids:
        transaction.execute(ADOPT, {"run": run, "ids": ids})
    return len(ids)
