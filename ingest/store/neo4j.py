"""The Neo4j store: a server of version 5 or newer, Aura and clusters too, by the Bolt driver."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import neo4j
from neo4j.exceptions import DriverError, Neo4jError, ServiceUnavailable

from ingest.schema import CONSTRAINTS, FEATURE_INDEXES, UNUSED_INDEXES
from ingest.store.bulk import ServerTransaction
from ingest.store.closing import Closing
from ingest.store.columns import NoColumns
from ingest.store.protocol import Bounds, Capabilities, Parameters, Row, Transaction, WriteResult
from ingest.store.server import (
    check_version,
    gds_version,
    one_line,
    plain_frame,
    plain_rows,
    refusal,
    unreachable,
)
from lib_graph.errors import StoreError, StoreUnavailableError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Neo4jStore"]

CONNECT_LIMIT_S = 5.0
RETRY_LIMIT_S = 20.0
T = TypeVar("T")
# What the driver warns of is raised by us or harmless (a label that is not there yet).
logging.getLogger("neo4j").addHandler(logging.NullHandler())


class Neo4jStore(NoColumns, Closing):
    """A graph in a Neo4j database. Opening it makes one attempt to connect."""

    def __init__(
        self, uri: str, *, username: str, password: str | None, database: str | None = None
    ) -> None:
        self._name = uri
        self._database = database
        self._schema_is_there = False
        with self._errors():
            self._driver = neo4j.GraphDatabase.driver(
                uri,
                auth=(username, password) if password else None,
                connection_timeout=CONNECT_LIMIT_S,
                connection_acquisition_timeout=CONNECT_LIMIT_S,
                max_transaction_retry_time=RETRY_LIMIT_S,
            )
            try:
                self._agent = self._driver.get_server_info().agent
                check_version(uri, self._agent)
            except BaseException:
                self._driver.close()
                raise

    @property
    def name(self) -> str:
        """The address, without credentials."""
        return self._name

    @cached_property
    def capabilities(self) -> Capabilities:
        """What this server can do."""
        version = self._agent.partition("/")[2]
        return Capabilities("neo4j", version, gds=gds_version(self.execute), atomic=False)

    def execute(self, cypher: str, parameters: Parameters | None = None) -> list[Row]:
        """Return the rows of a text that only reads."""
        with self._session() as session:
            return session.execute_read(
                lambda tx: plain_rows(tx.run(cypher, dict(parameters or {})))
            )

    def frame(
        self, cypher: str, parameters: Parameters | None = None, bounds: Bounds | None = None
    ) -> pd.DataFrame:
        """Return the rows of a text that only reads as a table."""

        def read(transaction: neo4j.ManagedTransaction) -> pd.DataFrame:
            result = transaction.run(cypher, dict(parameters or {}))
            rows = result.values() if bounds is None else map(list, result.fetch(bounds.rows))
            return plain_frame(rows, result.keys())

        limited = neo4j.unit_of_work(timeout=bounds.seconds if bounds else None)(read)
        with self._session() as session:
            return session.execute_read(limited)

    def write(self, cypher: str, parameters: Parameters | None = None) -> WriteResult:
        """Run a user's text that may write."""
        with self._session() as session:
            result = session.run(cypher, dict(parameters or {}))
            rows = plain_rows(result)
            counters = vars(result.consume().counters)
        changed = {name: n for name, n in counters.items() if type(n) is int and n}
        return WriteResult(rows, changed)

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction, again if the connection or a lock fails it."""

        def run(transaction: neo4j.ManagedTransaction) -> T:
            return work(ServerTransaction(lambda *text: plain_rows(transaction.run(*text))))

        with self._session() as session:
            return session.execute_write(run)

    def writing(self) -> AbstractContextManager[None]:
        """Return a block that adds nothing: each transaction is durable by itself."""
        return nullcontext()

    def ensure_schema(self) -> None:
        """Create the constraints and indexes that are not there yet."""
        if not self._schema_is_there:
            for text in (*UNUSED_INDEXES, *CONSTRAINTS, *FEATURE_INDEXES):
                self.transact(_executing(text))
            self.execute("CALL db.awaitIndexes(300)")
            self._schema_is_there = True

    def close(self) -> None:
        """Close the connections."""
        self._driver.close()

    @contextmanager
    def _session(self) -> Iterator[neo4j.Session]:
        with self._errors(), self._driver.session(database=self._database) as session:
            yield session

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (Neo4jError, DriverError, ValueError) as error:
            raise _error(self._name, error) from error


def _executing(text: str) -> Callable[[Transaction], list[Row]]:
    return lambda transaction: transaction.execute(text)


def _error(name: str, error: Exception) -> StoreError:
    if isinstance(error, Neo4jError):
        return refusal(name, error.code or "", error.message or str(error))
    if isinstance(error, ServiceUnavailable):
        return unreachable(name, _cause(error))
    return StoreUnavailableError(f"{name!r} cannot be used: {one_line(error)}.")


def _cause(error: BaseException) -> str:
    """Return the first thing that went wrong, such as 'Connection refused'."""
    while error.__cause__ is not None:
        error = error.__cause__
    return getattr(error, "strerror", None) or one_line(error)
