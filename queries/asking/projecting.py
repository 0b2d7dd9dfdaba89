"""Graphs that Graph Data Science holds in a Neo4j server's memory, and works on there.

A feature is a number in them: its layer's number times WIDTH, plus its index.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal, get_args
from uuid import uuid4

from lib_graph.errors import StoreError, UsageError
from queries.asking.reader import Reader
from queries.asking.statements import read_text

__all__ = ["WIDTH", "Engine", "check_engine", "projected"]

WIDTH = 1 << 32
"""More than the largest index of a feature"""

Engine = Literal["own", "gds"]
"""Who finds an answer: lib-graph, or Graph Data Science"""


def check_engine(reader: Reader, engine: Engine) -> None:
    """Raise UsageError for an engine that is not known, or that the store does not have."""
    if engine not in get_args(Engine):
        raise UsageError(f"There is no engine {engine!r}. Take 'own' or 'gds'.")
    if engine == "gds" and reader.store.capabilities.gds is None:
        raise UsageError(
            f"{reader.store.name!r} has no Graph Data Science. Take the engine 'own', or a Neo4j "
            "server with it, such as 'tools/neo4j/run --gds' starts."
        )


@contextmanager
def projected(reader: Reader) -> Iterator[str]:
    """Give a name for a graph in the server's memory, which is dropped at the end."""
    name = f"lib-graph {uuid4().hex}"
    try:
        yield name
    finally:
        with suppress(StoreError):  # of a server that is gone, or has no room for the graph
            reader.rows(read_text("gds/drop"), graph=name)
