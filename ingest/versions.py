"""Which version of the graph the runs of a store have, and whether this lib-graph reads it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from ingest.schema import GRAPH_VERSION
from lib_graph.errors import StoreUnavailableError

if TYPE_CHECKING:
    from ingest.store import GraphStore

__all__ = ["check_versions", "stored_versions"]

VERSIONS = """
MATCH (r:Run {status: 'complete'})
RETURN r.id AS id, coalesce(r.schema_version, 1) AS version
ORDER BY id
"""


def stored_versions(graph: GraphStore) -> dict[str, int]:
    """Return the version of each complete run of a store, by its id."""
    return {str(row["id"]): int(row["version"]) for row in graph.execute(VERSIONS)}


def check_versions(name: str, versions: dict[str, int]) -> None:
    """Raise StoreUnavailableError if a run of the store `name` has not the version of today.

    >>> check_versions("graph.kgl", {"0123456789ab": 1})
    Traceback (most recent call last):
    lib_graph.errors.StoreUnavailableError: Run 0123456789ab in 'graph.kgl' has version 1 of the
    graph, and this lib-graph reads version 2. Run: lib-graph upgrade --store graph.kgl
    """
    for run, version in versions.items():
        if version == GRAPH_VERSION:
            continue
        mend = (
            f"Run: lib-graph upgrade --store {shlex.quote(name)}"
            if version < GRAPH_VERSION
            else "Update lib-graph: pip install --upgrade lib-graph"
        )
        raise StoreUnavailableError(
            f"Run {run} in {name!r} has version {version} of the graph, and this lib-graph reads "
            f"version {GRAPH_VERSION}. {mend}"
        )
