"""Write one run under one id, from where an earlier load stopped, and check what was written.

A checkpoint, changed in the same transaction as each piece, says how far the load is and which
process goes on with it. A process that starts later takes over; the earlier one notices at its
next piece and stops. So each piece is written once, whoever writes it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial

from ingest.contents import Contents
from ingest.deleting import discard
from ingest.pieces import PIECE_ROWS, Piece, pieces
from ingest.replacing import adopt_features
from ingest.schema import GRAPH_VERSION
from ingest.store.protocol import GraphStore, Row, Transaction
from ingest.verifying import find_difference, update_labels
from lib_graph.errors import ConflictError, StoreError
from lib_graph.support.files import json_sha256
from lib_graph.support.progress import Progress

__all__ = ["Filling"]

STATE = """
OPTIONAL MATCH (r:Run {id: $run})
OPTIONAL MATCH (c:Checkpoint {id: $run})
RETURN r.status AS status, c.made_from AS made_from
"""
CLAIM = """
MERGE (c:Checkpoint {id: $run})
ON CREATE SET c.run = $run, c.made_from = $made_from, c.done = 0
SET c.loader = $loader
RETURN c.done AS done
"""
CREATE_RUN = "MERGE (r:Run {id: $run}) ON CREATE SET r += $properties"
# SET takes the write lock, so what is read after it cannot change before the commit.
HOLD = """
MATCH (c:Checkpoint {id: $run})
SET c.lock = $loader
WITH c
RETURN c.loader AS loader, c.done AS done
"""
ADVANCE = "MATCH (c:Checkpoint {id: $run}) SET c.done = $done"
DISTRUST = "MATCH (c:Checkpoint {id: $run}) SET c.made_from = ''"
COMPLETE = """
MATCH (r:Run {id: $run})
SET r.status = 'complete', r.loaded = $loaded, r.strength_stored = r.strength_total
"""
FORGET = "MATCH (c:Checkpoint {id: $run}) DELETE c"


@dataclass(frozen=True)
class Filling:
    """The load of a run under the id `stored_as`, by this process."""

    graph: GraphStore
    contents: Contents
    stored_as: str
    loader: str = field(default_factory=lambda: uuid.uuid4().hex)

    def fill(self, progress: Progress) -> bool:
        """Write what is not there yet, check all, and return whether something was there.

        Raises ConflictError if another process took over, StoreError if the store does not hold
        what was written to it.
        """
        self.graph.ensure_schema()
        if self._is_of_another_folder():
            discard(self.graph, self.stored_as, progress)
        done = self.graph.transact(self._claim)
        with progress.stage(f"loading {self.stored_as}", self.contents.interactions) as advance:
            for number, piece in enumerate(pieces(self.contents, self.stored_as)):
                if number >= done:
                    self.graph.transact(partial(self._write, number=number, piece=piece))
                advance(piece.interactions)
        adopt_features(self.graph, self.stored_as)
        update_labels(self.graph, self.contents, self.stored_as)
        self._check()
        return done > 0

    def complete(self) -> None:
        """Make the run visible to readers."""
        self.graph.transact(self._complete)

    @property
    def _made_from(self) -> str:
        """What a checkpoint must be of for this load to go on from it."""
        files = self.contents.run.manifest.files
        tables = [files["features.parquet"], files["interactions.parquet"]]
        return json_sha256([*tables, PIECE_ROWS, GRAPH_VERSION])

    def _is_of_another_folder(self) -> bool:
        """Return whether an unfinished load of other numbers, or of unknown ones, is there."""
        state = self.graph.execute(STATE, {"run": self.stored_as})[0]
        return state["status"] is not None and state["made_from"] != self._made_from

    def _claim(self, transaction: Transaction) -> int:
        """Take over the load, or begin it, and return how many batches are done."""
        names = {"run": self.stored_as, "loader": self.loader}
        rows = transaction.execute(CLAIM, {**names, "made_from": self._made_from})
        properties = {**self.contents.run_properties(), "status": "loading"}
        transaction.execute(CREATE_RUN, {"run": self.stored_as, "properties": properties})
        return int(rows[0]["done"])

    def _write(self, transaction: Transaction, *, number: int, piece: Piece) -> None:
        if self._hold(transaction)["done"] > number:
            return  # it was written, although the connection broke before the answer came
        piece.write(transaction)
        transaction.execute(ADVANCE, {"run": self.stored_as, "done": number + 1})

    def _complete(self, transaction: Transaction) -> None:
        self._hold(transaction)
        loaded = datetime.now(timezone.utc).isoformat(timespec="microseconds")
        transaction.execute(COMPLETE, {"run": self.stored_as, "loaded": loaded})
        transaction.execute(FORGET, {"run": self.stored_as})

    def _hold(self, transaction: Transaction) -> Row:
        """Lock the checkpoint for this transaction and return it, if this process still owns it."""
        rows = transaction.execute(HOLD, {"run": self.stored_as, "loader": self.loader})
        if not rows or rows[0]["loader"] != self.loader:
            raise ConflictError(
                f"Another process took over run {self.contents.run.id} in {self.graph.name!r}. "
                "Let it finish; this one has stopped."
            )
        return rows[0]

    def _check(self) -> None:
        difference = find_difference(self.graph, self.contents, self.stored_as)
        if difference is None:
            return
        self.graph.transact(lambda tx: tx.execute(DISTRUST, {"run": self.stored_as}))
        raise StoreError(
            f"{self.graph.name!r} does not hold what was written to it: {difference}. The run "
            "stays hidden. Run the same command again to load it anew."
        )
