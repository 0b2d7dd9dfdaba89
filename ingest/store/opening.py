"""Which store a person means: an argument, the environment, or a file in the working folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from lib_graph.errors import UsageError

if TYPE_CHECKING:
    from ingest.store.protocol import GraphStore

__all__ = ["DEFAULT_STORE", "open_store", "using_store"]

DEFAULT_STORE = "lib-graph.kgl"
NEO4J_SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")


def open_store(target: str | Path | GraphStore | Any | None = None) -> GraphStore:
    """Return the store that `target` names, open.

    `target` is a path (embedded), an address such as `neo4j://localhost` (Neo4j, with
    NEO4J_USERNAME, NEO4J_PASSWORD and NEO4J_DATABASE), the word `neo4j` (the server of NEO4J_URI),
    a store that is open (returned as it is), or a `py2neo.Graph`. None means LIB_GRAPH_STORE, else
    the file lib-graph.kgl in the working folder. A file `.env` there may hold NEO4J_… lines; the
    environment comes first.

    Raises StoreUnavailableError if the store cannot be reached or used, and UsageError if `target`
    is none of these.

    >>> open_store("graph.kgl").name
    'graph.kgl'
    """
    if target is None or isinstance(target, str):
        return _open_text(target)
    if isinstance(target, Path):
        return _open_file(target)
    if type(target).__module__.partition(".")[0] == "py2neo":
        from ingest.store.py2neo import Py2neoStore

        return Py2neoStore(target)
    if hasattr(target, "transact"):
        store: GraphStore = target
        return store
    raise UsageError(f"A store cannot be opened from a {type(target).__name__}.")


@contextmanager
def using_store(target: str | Path | GraphStore | Any | None = None) -> Iterator[GraphStore]:
    """Yield the store that `target` names; close it afterwards if it was opened here."""
    graph = open_store(target)
    try:
        yield graph
    finally:
        if graph is not target:
            graph.close()


def _open_text(target: str | None) -> GraphStore:
    settings = {**_dotenv(Path(".env")), **os.environ}
    text = target or settings.get("LIB_GRAPH_STORE") or DEFAULT_STORE
    if text == "neo4j":
        text = settings.get("NEO4J_URI") or ""
        if not text:
            raise UsageError("The store 'neo4j' is the server of NEO4J_URI, which is not set.")
    scheme, separator, _ = text.partition("://")
    if not separator:
        return _open_file(Path(text))
    if scheme in ("http", "https"):
        raise UsageError(
            f"{scheme}:// is the address of Neo4j's web page. Write "
            f"neo4j://{urlsplit(text).hostname or 'localhost'}, or with TLS neo4j+s://…"
        )
    if scheme not in NEO4J_SCHEMES:
        raise UsageError(
            f"A store cannot be opened from a {scheme}:// address. Write a path, or one of "
            f"{', '.join(f'{known}://' for known in NEO4J_SCHEMES)}."
        )
    return _open_neo4j(text, settings)


def _open_file(path: Path) -> GraphStore:
    from ingest.store.embedded import EmbeddedStore

    return EmbeddedStore(path.expanduser())


def _open_neo4j(text: str, settings: Mapping[str, str]) -> GraphStore:
    from ingest.store.neo4j import Neo4jStore

    address = urlsplit(text)
    host = address.netloc.rpartition("@")[2]
    return Neo4jStore(
        urlunsplit((address.scheme, host, address.path, address.query, "")),
        username=unquote(address.username or "") or settings.get("NEO4J_USERNAME") or "neo4j",
        password=unquote(address.password or "") or settings.get("NEO4J_PASSWORD"),
        database=settings.get("NEO4J_DATABASE") or None,
    )


def _dotenv(path: Path) -> dict[str, str]:
    """Return the NEO4J_… lines of a `.env` file: NAME=value, quotes and `export` allowed."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    found = {}
    for line in lines:
        name, separator, value = line.strip().removeprefix("export ").partition("=")
        value = value.strip()
        if value[:1] in ("'", '"') and value.endswith(value[0]) and len(value) > 1:
            value = value[1:-1]
        if separator and name.strip().startswith("NEO4J_"):
            found[name.strip()] = value
    return found
