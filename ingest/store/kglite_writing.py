"""The transaction of the embedded store: a copy of the graph that a writer changes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Protocol

import kglite

from ingest.schema import (
    CIRCUIT,
    COMMUNITY,
    CONSTANT,
    INTERACTS,
    NodeTable,
    RelationshipTable,
)
from ingest.store.bulk import records
from ingest.store.kglite_texts import kglite_errors, rows_of, run_text
from ingest.store.protocol import Parameters, Row
from lib_graph.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Written"]

BESIDE = (CIRCUIT, COMMUNITY)  # no columns have them, and no text writes other nodes with them
WIDE = 2000  # targets of a source: kglite's own bulk call compares each with all before it


class Touch(Protocol):
    """Is told which run's nodes (None: any run's), and which interactions, a text has changed."""

    def __call__(self, run: str | None, *, interactions: bool = True) -> None: ...


class Written:
    """The copy of the graph that a writer changes: the transaction of this store."""

    def __init__(self, graph: kglite.KnowledgeGraph, touch: Touch) -> None:
        graph.set_default_timeout(0)
        self.graph = graph
        self._touch = touch
        self.changed = False
        self.failed = False
        self.has_schema = False  # known to have it

    def view(self, cypher: str, parameters: Parameters | None) -> kglite.ResultView:
        """Run a text, and return all that kglite says of it."""
        return run_text(self.graph.cypher, cypher, parameters)

    def execute(self, cypher: str, parameters: Parameters | None = None) -> list[Row]:
        """Run a text, which may write, and return its rows."""
        view = self.view(cypher, parameters)
        beside = any(f":{table.label} " in cypher for table in BESIDE)
        if not beside and any((view.stats or {}).values()):
            about = any(table.type in cypher for table in (INTERACTS, CONSTANT))
            self._touch((parameters or {}).get("run"), interactions=about)
        return rows_of(view)

    def add_nodes(self, table: NodeTable, frame: pd.DataFrame) -> None:
        """Create a node per row. Raises StoreError if one is there already."""
        if not len(frame):
            return
        if table not in BESIDE:
            for run in frame["run" if "run" in table.properties else "id"].unique():
                self._touch(run, interactions=False)
        with kglite_errors():
            report = self.graph.add_nodes(frame[list(table.properties)], table.label, "id")
        if report["nodes_created"] != len(frame):
            raise StoreError(
                f"{len(frame) - report['nodes_created']} of {len(frame)} {table.label} nodes "
                "were in the store already."
            )

    def add_relationships(self, table: RelationshipTable, frame: pd.DataFrame) -> None:
        """Create a relationship per row between nodes that exist.

        Raises StoreError if some of the nodes do not, or a relationship is there already.
        """
        if not len(frame):
            return
        if len(frame) > WIDE and (fans := frame["source"].value_counts()).iloc[0] > WIDE:
            wide = frame["source"].map(fans) > WIDE
            self._add_fans(table, frame[wide])
            self.add_relationships(table, frame[~wide])
            return
        columns = frame[["source", "target", *table.properties]]
        with kglite_errors(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of nodes it made up: refused below
            report = self.graph.add_relationships(
                columns, table.type, table.source.label, "source", table.target.label, "target"
            )
        if report["connections_created"] != len(frame) or report.get("stubs_vivified"):
            raise StoreError(
                f"Of {len(frame)} {table.type} relationships {report['connections_created']} were "
                f"new, and {report.get('stubs_vivified', 0)} nodes they need are not there."
            )

    def _add_fans(self, table: RelationshipTable, frame: pd.DataFrame) -> None:
        """Create relationships source by source, and look for none that are there already."""
        text = _fan_text(table)
        for source, rows in frame.groupby("source", sort=False):
            targets = {"source": source, "rows": records(rows, ("target", *table.properties))}
            written = rows_of(self.view(text, targets))[0]["written"]
            if written != len(rows):
                raise StoreError(
                    f"Only {written} of {len(rows)} {table.type} relationships found both their "
                    "nodes."
                )


def _fan_text(table: RelationshipTable) -> str:
    values = ", ".join(f"{name}: row.{name}" for name in table.properties)
    return (
        f"MATCH (s:{table.source.label} {{id: $source}}) "
        f"UNWIND $rows AS row MATCH (t:{table.target.label} {{id: row.target}}) "
        f"CREATE (s)-[:{table.type} {{{values}}}]->(t) RETURN count(*) AS written"
    )
