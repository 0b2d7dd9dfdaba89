"""Write one run under one id, from where an earlier load stopped, and check what was written.

A checkpoint, changed in the same transaction as each piece, says how far the load is and which
process goes on with it. A process that starts later takes over; the earlier one notices at its
next piece and stops. So each piece is written once, whoever writes it.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from typing import TypeVar

import pandas as pd

from ingest.contents import Contents
from ingest.deleting import discard
from ingest.pieces import PIECE_ROWS, Piece, pieces
from ingest.replacing import adopt_features
from ingest.schema import GRAPH_VERSION
from ingest.store.protocol import GraphStore, Row, Transaction
from ingest.verifying import both_features, find_difference, update_labels
from lib_graph.errors import (
    ConflictError,
    StoreError,
    TransactionTooLargeError,
    UnknownCommitError,
)
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
ON CREATE SET c.run = $run, c.made_from = $made_from, c.done = 0, c.rows = 0
SET c.loader = $loader
RETURN c.done AS done, c.rows AS rows
"""
CREATE_RUN = "MERGE (r:Run {id: $run}) ON CREATE SET r += $properties"
# SET takes the write lock, so what is read after it cannot change before the commit.
HOLD = """
MATCH (c:Checkpoint {id: $run})
SET c.lock = $loader
WITH c
RETURN c.loader AS loader, c.done AS done, c.rows AS rows
"""
ADVANCE = "MATCH (c:Checkpoint {id: $run}) SET c.done = $done, c.rows = $rows"
DISTRUST = "MATCH (c:Checkpoint {id: $run}) SET c.made_from = ''"
COMPLETE = """
MATCH (r:Run {id: $run})
SET r.status = 'complete', r.loaded = $loaded, r.strength_stored = r.strength_total
"""
FORGET = "MATCH (c:Checkpoint {id: $run}) DELETE c"


Position = tuple[int, int]
"""How many pieces are written, and how many rows of the next."""
T = TypeVar("T")
SHRUNK = "%s has no room for so much in a transaction: writing %d rows at a time."
logger = logging.getLogger(__name__)


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
            at_once = PIECE_ROWS
            for number, piece in enumerate(pieces(self.contents, self.stored_as)):
                if number >= done[0]:
                    first = done[1] if number == done[0] else 0
                    at_once = self._write_piece(number, piece, first, at_once)
                advance(piece.interactions)
        adopt_features(self.graph, self.stored_as)
        both = both_features(self.graph, self.contents, self.stored_as)
        update_labels(self.graph, both, self.stored_as)
        self._check(both)
        return done > (0, 0)

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

    def _claim(self, transaction: Transaction) -> Position:
        """Take over the load, or begin it, and return how far it is."""
        names = {"run": self.stored_as, "loader": self.loader}
        rows = transaction.execute(CLAIM, {**names, "made_from": self._made_from})
        properties = {**self.contents.run_properties(), "status": "loading"}
        transaction.execute(CREATE_RUN, {"run": self.stored_as, "properties": properties})
        return _position(rows[0])

    def _write_piece(self, number: int, piece: Piece, first: int, at_once: int) -> int:
        """Write a piece from its row `first` on and return how many rows fit a transaction.

        That is `at_once`, or a part of it where the server has no room for so many.
        """
        while first < piece.rows:
            end = min(first + at_once, piece.rows)
            after = (number + 1, 0) if end == piece.rows else (number, end)
            write = partial(self._write, part=piece.cut(first, end), after=after)
            try:
                self._transact(write)
            except TransactionTooLargeError:
                if at_once == 1:
                    raise
                at_once = -(-min(at_once, end - first) // 2)
                logger.warning(SHRUNK, self.graph.name, at_once)
            else:
                first = end
        return at_once

    def _transact(self, work: Callable[[Transaction], T]) -> T:
        """Run work that finds out by itself whether it was done, though nobody heard of it."""
        try:
            return self.graph.transact(work)
        except UnknownCommitError:
            return self.graph.transact(work)

    def _write(self, transaction: Transaction, *, part: Piece, after: Position) -> None:
        if _position(self._hold(transaction)) >= after:
            return  # it was written, although the connection broke before the answer came
        part.write(transaction)
        done, rows = after
        transaction.execute(ADVANCE, {"run": self.stored_as, "done": done, "rows": rows})

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

    def _check(self, both: pd.DataFrame) -> None:
        difference = find_difference(self.graph, self.contents, self.stored_as, both)
        if difference is None:
            return
        self.graph.transact(lambda tx: tx.execute(DISTRUST, {"run": self.stored_as}))
        raise StoreError(
            f"{self.graph.name!r} does not hold what was written to it: {difference}. The run "
            "stays hidden. Run the same command again to load it anew."
        )


def _position(checkpoint: Row) -> Position:
    return int(checkpoint["done"]), int(checkpoint["rows"] or 0)
