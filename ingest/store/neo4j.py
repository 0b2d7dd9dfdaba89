"""The Neo4j store: a server of version 5 or newer, Aura and clusters too, by the Bolt driver."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import neo4j
from neo4j.exceptions import DriverError, IncompleteCommit, Neo4jError, ServiceUnavailable

from ingest.schema import CONSTRAINTS, FEATURE_INDEXES, UNUSED_INDEXES
from ingest.store.answering import misunderstood
from ingest.store.bulk import ServerTransaction
from ingest.store.closing import Closing
from ingest.store.columns import NoColumns
from ingest.store.protocol import Bounds, Capabilities, Parameters, Row, Transaction, WriteResult
from ingest.store.server import (
    check_version,
    gds_version,
    is_too_large,
    plain_frame,
    plain_rows,
    refusal,
    unreachable,
)
from lib_graph.errors import StoreError, StoreUnavailableError, UnknownCommitError
from lib_graph.support.texts import one_line

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Neo4jStore"]

CONNECT_LIMIT_S = 5.0
WAIT_LIMIT_S = 30.0  # for a server that was there and is gone
PAUSE_S = 0.5
SYSTEM = "system"
WAITING = "%s does not answer: %s. Waiting for it, up to %.0f s ..."
T = TypeVar("T")
logger = logging.getLogger(__name__)
# What the driver warns of is raised by us or harmless (a label that is not there yet).
logging.getLogger("neo4j").addHandler(logging.NullHandler())


class Neo4jStore(NoColumns, Closing):
    """A graph in a Neo4j database.

    Opening it makes one attempt to connect; raises StoreUnavailableError if that fails, or if the
    database is the server's own.
    """

    def __init__(
        self, uri: str, *, username: str, password: str | None, database: str | None = None
    ) -> None:
        self._name = uri
        self._database = database
        self._schema_is_there = False
        if database == SYSTEM:
            raise StoreUnavailableError(
                f"The database {SYSTEM!r} of {uri!r} is for the server's own use, and no graph can "
                "be there. Leave NEO4J_DATABASE out, or name another."
            )
        with self._errors():
            self._driver = neo4j.GraphDatabase.driver(
                uri,
                auth=(username, password) if password else None,
                connection_timeout=CONNECT_LIMIT_S,
                connection_acquisition_timeout=CONNECT_LIMIT_S,
                max_transaction_retry_time=0,  # it tries twice; `_patiently` tells that it waits
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

        def read(transaction: neo4j.ManagedTransaction) -> list[Row]:
            with self._refusing_what_is_too_large():
                return plain_rows(transaction.run(cypher, dict(parameters or {})))

        return self._patiently(lambda session: session.execute_read(read))

    def frame(
        self, cypher: str, parameters: Parameters | None = None, bounds: Bounds | None = None
    ) -> pd.DataFrame:
        """Return the rows of a text that only reads as a table."""

        def read(transaction: neo4j.ManagedTransaction) -> pd.DataFrame:
            with self._refusing_what_is_too_large():
                result = transaction.run(cypher, dict(parameters or {}))
                rows = result.values() if bounds is None else map(list, result.fetch(bounds.rows))
                return plain_frame(rows, result.keys())

        limited = neo4j.unit_of_work(timeout=bounds.seconds if bounds else None)(read)
        return self._patiently(lambda session: session.execute_read(limited))

    def write(self, cypher: str, parameters: Parameters | None = None) -> WriteResult:
        """Run a user's text that may write."""
        with self._errors(), self._session() as session:
            result = session.run(cypher, dict(parameters or {}))
            rows = plain_rows(result)
            counters = vars(result.consume().counters)
        changed = {name: n for name, n in counters.items() if type(n) is int and n}
        return WriteResult(rows, changed)

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction, again if the connection, the leader or a lock fails it.

        Raises TransactionTooLargeError if the server has not the memory or the time for it, and
        UnknownCommitError if the connection broke before the commit was confirmed.
        """

        def run(transaction: neo4j.ManagedTransaction) -> T:
            def rows(text: str, parameters: dict[str, Any]) -> list[Row]:
                with self._refusing_what_is_too_large():
                    return plain_rows(transaction.run(text, parameters))

            return work(ServerTransaction(rows))

        return self._patiently(lambda session: session.execute_write(run))

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

    def _patiently(self, work: Callable[[neo4j.Session], T]) -> T:
        """Run `work` until it succeeds, if what fails it may pass: for WAIT_LIMIT_S, and say so."""
        end, told = time.monotonic() + WAIT_LIMIT_S, False
        while True:
            with self._errors():
                try:
                    with self._session() as session:
                        return work(session)
                except (Neo4jError, DriverError) as error:
                    if not _may_pass(error) or time.monotonic() > end:
                        raise
                    if not told:
                        logger.warning(WAITING, self._name, _cause(error), WAIT_LIMIT_S)
                        told = True
            time.sleep(PAUSE_S)

    @contextmanager
    def _refusing_what_is_too_large(self) -> Iterator[None]:
        """Tell at once what the driver would try again, and what would fail again."""
        try:
            yield
        except Neo4jError as error:
            if is_too_large(error.code or ""):
                raise _error(self._name, error) from error
            raise

    def _session(self) -> neo4j.Session:
        """Return a session that sees what this store has written, whichever server it asks."""
        manager = self._driver.execute_query_bookmark_manager
        return self._driver.session(database=self._database, bookmark_manager=manager)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (Neo4jError, DriverError, ValueError) as error:
            raise _error(self._name, error) from error


def _executing(text: str) -> Callable[[Transaction], list[Row]]:
    return lambda transaction: transaction.execute(text)


def _may_pass(error: Neo4jError | DriverError) -> bool:
    """Return whether what failed may succeed later, as it is."""
    too_large = isinstance(error, Neo4jError) and is_too_large(error.code or "")
    return error.is_retryable() and not too_large


def _error(name: str, error: Exception) -> StoreError:
    if isinstance(error, Neo4jError):
        return refusal(name, error.code or "", error.message or str(error))
    if isinstance(error, IncompleteCommit):
        return UnknownCommitError(
            f"{name!r} broke the connection before it confirmed a transaction. Look whether it "
            "happened before you do it again."
        )
    if isinstance(error, ServiceUnavailable):
        return misunderstood(name, _first(error)) or unreachable(name, _cause(error))
    return StoreUnavailableError(f"{name!r} cannot be used: {one_line(error)}.")


def _cause(error: BaseException) -> str:
    """Return the first thing that went wrong, such as 'Connection refused'."""
    error = _first(error)
    return getattr(error, "strerror", None) or one_line(error)


def _first(error: BaseException) -> BaseException:
    """Return the error that the others followed from; a router has tried several servers."""
    while True:
        group: tuple[BaseException, ...] = getattr(error, "exceptions", ())
        earlier = group[0] if group else error.__cause__
        if earlier is None:
            return error
        error = earlier
