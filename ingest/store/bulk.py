"""Whole tables into a Neo4j server, with the texts that were measured to be fastest.

A row per source node with the list of its targets is three times as fast as a row per
relationship: the source is looked up once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ingest.schema import NodeTable, RelationshipTable
from ingest.store.protocol import Parameters, Row
from lib_graph.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ServerTransaction", "records"]


class ServerTransaction:
    """A transaction on a Neo4j server, whichever driver runs its texts."""

    def __init__(self, run: Callable[[str, dict[str, Any]], list[Row]]) -> None:
        self._run = run

    def execute(self, cypher: str, parameters: Parameters | None = None) -> list[Row]:
        """Run a text, which may write, and return its rows."""
        return self._run(cypher, dict(parameters or {}))

    def add_nodes(self, table: NodeTable, frame: pd.DataFrame) -> None:
        """Create a node per row."""
        rows = records(frame, table.properties)
        self.execute(f"UNWIND $rows AS row CREATE (n:{table.label}) SET n = row", {"rows": rows})

    def add_relationships(self, table: RelationshipTable, frame: pd.DataFrame) -> None:
        """Create a relationship per row between nodes that exist.

        Raises StoreError if some of the nodes do not.
        """
        text = _relationships_text(table)
        rows = _by_source(frame, table.properties)
        written = self.execute(text, {"rows": rows})[0]["written"]
        if written != len(frame):
            raise StoreError(
                f"Only {written} of {len(frame)} {table.type} relationships found both their nodes."
            )


def _relationships_text(table: RelationshipTable) -> str:
    values = ", ".join(f"{name}: to[{i}]" for i, name in enumerate(table.properties, start=1))
    return (
        f"UNWIND $rows AS row MATCH (s:{table.source.label} {{id: row[0]}}) "
        f"UNWIND row[1] AS to MATCH (t:{table.target.label} {{id: to[0]}}) "
        f"CREATE (s)-[:{table.type} {{{values}}}]->(t) RETURN count(*) AS written"
    )


def records(frame: pd.DataFrame, properties: tuple[str, ...]) -> list[Row]:
    """Return a row's properties by name, for each row of a table."""
    columns = [_values(frame[name]) for name in properties]
    return [dict(zip(properties, row, strict=True)) for row in zip(*columns, strict=True)]


def _by_source(frame: pd.DataFrame, properties: tuple[str, ...]) -> list[list[Any]]:
    """Return `[source, [[target, property, …], …]]` for each source, in the order of the rows."""
    columns = [_values(frame[name]) for name in ("target", *properties)]
    grouped: dict[str, list[list[Any]]] = {}
    for source, *to in zip(_values(frame["source"]), *columns, strict=True):
        grouped.setdefault(source, []).append(to)
    return [[source, targets] for source, targets in grouped.items()]


def _values(column: pd.Series) -> list[Any]:
    """Return a column as Python values, with None for what is missing."""
    return list(column.astype(object).where(column.notna(), None))
