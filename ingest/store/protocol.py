"""The seam between lib-graph and a graph database: what a store must do, and nothing else.

A store answers Cypher texts, runs one transaction at a time, and takes whole tables of nodes and
relationships in the way that is fast for it. Everything above works on any store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    import pandas as pd

    from ingest.schema import NodeTable, RelationshipTable
    from ingest.store.columns import KeptRuns, Stamp

__all__ = [
    "TOO_LONG",
    "WRITES",
    "Bounds",
    "Capabilities",
    "GraphStore",
    "Parameters",
    "Row",
    "Transaction",
    "WriteResult",
]

WRITES = "This text writes, and only reading is allowed here."
TOO_LONG = "The text took longer than it may. Ask for less, or begin it at an id."
Row = dict[str, Any]
Parameters = Mapping[str, Any]
T = TypeVar("T")
StoreT = TypeVar("StoreT", bound="GraphStore")


@dataclass(frozen=True)
class Bounds:
    """How long a text may take, and how many of its rows come back."""

    seconds: float
    rows: int


@dataclass(frozen=True)
class Capabilities:
    """What a store can do beyond the common subset of Cypher."""

    kind: Literal["neo4j", "embedded"]
    version: str
    """Version of the server, or of the embedded library."""
    gds: str | None
    """Version of the Graph Data Science library, where the server has it."""
    atomic: bool
    """Whether all of a `writing()` block becomes visible at once, or not at all."""


@dataclass(frozen=True)
class WriteResult:
    """What a writing text returned, and what it changed (the counters that are not 0)."""

    rows: list[Row]
    counters: dict[str, int]


class Transaction(Protocol):
    """Reads and writes that happen together or not at all."""

    def execute(self, cypher: str, parameters: Parameters | None = None) -> list[Row]:
        """Run a text, which may write, and return its rows."""
        ...

    def add_nodes(self, table: NodeTable, frame: pd.DataFrame) -> None:
        """Create a node per row. Columns: `table.properties`; NaN and None are null."""
        ...

    def add_relationships(self, table: RelationshipTable, frame: pd.DataFrame) -> None:
        """Create a relationship per row between nodes that exist.

        Columns: `source` and `target`, ids of the two nodes, and `table.properties`. Raises
        StoreError if an id is not there; the transaction then leaves nothing.
        """
        ...


class GraphStore(Protocol):
    """A graph database that is open. Open one with `open_store`, and close it."""

    @property
    def name(self) -> str:
        """What a person calls this store: its path, or its address without credentials."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What this store can do."""
        ...

    def columns(self) -> KeptRuns | None:
        """Return the runs as columns, None where the store keeps none that are up to date."""
        ...

    def keep_interactions(self, run: str, file: Path, state: Stamp) -> None:
        """Take the Parquet file whose interactions a run has, where the store keeps columns.

        state: of the file when the run was read from it; one that was written since is not taken.
        """
        ...

    def execute(self, cypher: str, parameters: Parameters | None = None) -> list[Row]:
        """Return the rows of a text that only reads; a text that writes is a StoreError."""
        ...

    def frame(
        self, cypher: str, parameters: Parameters | None = None, bounds: Bounds | None = None
    ) -> pd.DataFrame:
        """Return the rows of a text that only reads as a table, with its columns even if empty.

        With bounds, the first rows; a text that takes longer is a StoreError.
        """
        ...

    def write(self, cypher: str, parameters: Parameters | None = None) -> WriteResult:
        """Run a user's text that may write, in a transaction of its own."""
        ...

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction and return what it returns.

        The work may run again after a lost connection or a deadlock, so it must not change
        anything but the graph. An exception in it undoes it.
        """
        ...

    def writing(self) -> AbstractContextManager[None]:
        """Hold the store for a series of transactions.

        Embedded: the lease of the one writer is held, transactions and reads in the block see each
        other, and the file is replaced at the end if the block succeeds; an exception leaves the
        file as it was. Neo4j: each transaction is durable by itself, and the block adds nothing.
        Raises StoreUnavailableError if another process is writing (embedded).
        """
        ...

    def ensure_schema(self) -> None:
        """Create the constraints and indexes of the graph that are not there yet."""
        ...

    def close(self) -> None:
        """Let go of the store. Closing twice is fine."""
        ...

    def __enter__(self: StoreT) -> StoreT: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
