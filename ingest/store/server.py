"""What Neo4j stores have in common, whichever driver speaks to the server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ingest.store.protocol import TOO_LONG, WRITES, Row
from lib_graph.errors import StoreError, StoreUnavailableError, TransactionTooLargeError
from lib_graph.support.texts import one_line

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "check_version",
    "gds_version",
    "is_too_large",
    "one_line",
    "plain_frame",
    "plain_rows",
    "refusal",
    "unreachable",
]

OLDEST = 5


def check_version(name: str, agent: str) -> None:
    """Raise StoreUnavailableError if a server that says it is `agent` is too old.

    >>> check_version("neo4j://old", "Neo4j/4.4.9")
    Traceback (most recent call last):
    lib_graph.errors.StoreUnavailableError: 'neo4j://old' is Neo4j/4.4.9; version 5 or newer is...
    """
    version = re.match(r"Neo4j/v?(\d+)", agent)
    if version is None or int(version[1]) < OLDEST:
        raise StoreUnavailableError(
            f"{name!r} is {agent}; version {OLDEST} or newer is needed. "
            "'docker compose up' or tools/neo4j/run starts one."
        )


def gds_version(execute: Callable[[str], list[Row]]) -> str | None:
    """Return the version of Graph Data Science on a server, or None where it is not installed."""
    try:
        return str(execute("RETURN gds.version() AS version")[0]["version"])
    except StoreUnavailableError:
        raise
    except StoreError:
        return None


def unreachable(name: str, reason: str) -> StoreUnavailableError:
    """Return the error for a server that does not answer."""
    return StoreUnavailableError(
        f"{name!r} cannot be reached: {reason}. Is the server running? "
        "'docker compose up -d' or tools/neo4j/run starts one."
    )


def refusal(name: str, code: str, message: str) -> StoreError:
    """Return what a failure that the server reports means to a person.

    `code` is Neo4j's, such as 'Neo.ClientError.Statement.SyntaxError'. There are no credentials
    in the message.
    """
    kind = code.rpartition(".")[2]
    if kind == "AuthenticationRateLimit":
        return StoreUnavailableError(
            f"{name!r} refuses all passwords for some seconds, after too many wrong ones. "
            "Set NEO4J_PASSWORD, wait, and try again."
        )
    if kind in ("Unauthorized", "CredentialsExpired", "TokenExpired"):
        return StoreUnavailableError(
            f"{name!r} refused the user name or password. "
            "Set NEO4J_USERNAME (default neo4j) and NEO4J_PASSWORD."
        )
    if kind == "DatabaseNotFound":
        return StoreUnavailableError(f"{name!r}: {one_line(message)}. Set NEO4J_DATABASE.")
    if kind == "TransactionTimedOutClientConfiguration":
        return StoreError(TOO_LONG)
    if is_too_large(code):
        return TransactionTooLargeError(
            f"{name!r} has not the memory or the time for one transaction: {one_line(message)}. "
            "Raise db.memory.transaction.max or db.transaction.timeout in neo4j.conf."
        )
    if kind == "AccessMode":
        return StoreError(WRITES)
    did = "refused the text" if code.startswith("Neo.ClientError") else "failed"
    return StoreError(f"{name!r} {did}: {one_line(message)}.")


def is_too_large(code: str) -> bool:
    """Return whether a server gave up a transaction that could do with less.

    >>> is_too_large("Neo.TransientError.General.MemoryPoolOutOfMemoryError")
    True
    """
    return "OutOfMemory" in code or code.endswith(".TransactionTimedOut")


def plain_rows(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return rows in which a node or relationship is a dict of its properties, a path its nodes."""
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def plain_frame(rows: Iterable[Any], columns: Iterable[str]) -> pd.DataFrame:
    """Return rows as a table, with nodes, relationships and paths as in `plain_rows`."""
    import pandas as pd

    frame = pd.DataFrame.from_records(list(rows), columns=list(columns))
    for name in frame.columns[[pd.api.types.is_object_dtype(dtype) for dtype in frame.dtypes]]:
        frame[name] = pd.Series([_plain(value) for value in frame[name]], dtype=object)
    return frame


def _plain(value: Any) -> Any:
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, list):
        scalars = all(isinstance(item, str | int | float) for item in value)
        return value if scalars else [_plain(item) for item in value]
    if hasattr(value, "items"):
        return {name: _plain(item) for name, item in value.items()}
    if hasattr(value, "relationships"):
        return [_plain(node) for node in value.nodes]
    return value
