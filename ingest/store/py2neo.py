"""The same Neo4j store through a `py2neo.Graph`, for code that has one already.

Legacy: py2neo's last release is of 2021 and it is no longer maintained. It has no retries and no
clusters here; open the store by its address wherever you can. Our own texts run on it; py2neo's
schema helpers fail on Neo4j 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from ingest.schema import CONSTRAINTS, FEATURE_INDEXES, UNUSED_INDEXES
from ingest.store.bulk import ServerTransaction
from ingest.store.closing import Closing
from ingest.store.columns import NoColumns
from ingest.store.protocol import Bounds, Capabilities, Parameters, Row, Transaction, WriteResult
from ingest.store.server import (
    check_version,
    gds_version,
    plain_frame,
    plain_rows,
    refusal,
    unreachable,
)
from lib_graph.errors import StoreError
from lib_graph.support.texts import one_line

try:
    import py2neo
    from py2neo import errors
except ImportError as error:
    raise StoreError("py2neo is not installed. Run: pip install 'lib-graph[py2neo]'") from error

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Py2neoStore"]

BROKEN = (
    errors.ConnectionUnavailable,
    errors.ConnectionBroken,
    errors.ConnectionLimit,
    errors.ServiceUnavailable,
    errors.ProtocolError,
)
T = TypeVar("T")


class Py2neoStore(NoColumns, Closing):
    """A graph in the Neo4j database that a `py2neo.Graph` is connected to."""

    def __init__(self, graph: py2neo.Graph) -> None:
        self._graph = graph
        self._name = str(graph.service.uri)
        check_version(self._name, f"Neo4j/{graph.service.kernel_version}")

    @property
    def name(self) -> str:
        """The address, without credentials."""
        return self._name

    @cached_property
    def capabilities(self) -> Capabilities:
        """What this server can do."""
        version = str(self._graph.service.kernel_version)
        return Capabilities("neo4j", version, gds=gds_version(self.execute), atomic=False)

    def execute(self, cypher: str, parameters: Parameters | None = None) -> list[Row]:
        """Return the rows of a text that only reads."""
        with self._transaction(readonly=True) as transaction:
            return plain_rows(transaction.run(cypher, dict(parameters or {})))

    def frame(
        self, cypher: str, parameters: Parameters | None = None, bounds: Bounds | None = None
    ) -> pd.DataFrame:
        """Return the rows of a text that only reads as a table.

        Raises StoreError for bounds, which py2neo cannot keep.
        """
        if bounds is not None:
            raise StoreError("py2neo knows no time limit. Open the server by its address instead.")
        with self._transaction(readonly=True) as transaction:
            cursor = transaction.run(cypher, dict(parameters or {}))
            columns = cursor.keys()
            return plain_frame((row.values() for row in cursor), columns)

    def write(self, cypher: str, parameters: Parameters | None = None) -> WriteResult:
        """Run a user's text that may write."""
        with self._transaction(readonly=False) as transaction:
            cursor = transaction.run(cypher, dict(parameters or {}))
            rows = plain_rows(cursor)
            return WriteResult(rows, {name: n for name, n in cursor.stats().items() if n})

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction, once."""
        with self._transaction(readonly=False) as transaction:
            return work(ServerTransaction(lambda *text: plain_rows(transaction.run(*text))))

    def writing(self) -> AbstractContextManager[None]:
        """Return a block that adds nothing: each transaction is durable by itself."""
        return nullcontext()

    def ensure_schema(self) -> None:
        """Create the constraints and indexes that are not there yet."""
        for text in (*UNUSED_INDEXES, *CONSTRAINTS, *FEATURE_INDEXES):
            self.write(text)
        self.execute("CALL db.awaitIndexes(300)")

    def close(self) -> None:
        """Do nothing: the graph belongs to whoever made it."""

    @contextmanager
    def _transaction(self, *, readonly: bool) -> Iterator[Any]:
        """Yield a transaction that is committed at the end, or undone after an error."""
        try:
            transaction = self._graph.begin(readonly=readonly)
            try:
                yield transaction
                self._graph.commit(transaction)
            except BaseException:
                self._graph.rollback(transaction)
                raise
        except errors.Neo4jError as error:
            raise refusal(self._name, error.code or "", error.message or "") from error
        except BROKEN as error:
            raise unreachable(self._name, one_line(error)) from error
