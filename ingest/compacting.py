"""Give back the space that a store still takes for what was deleted from it."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.store import using_store
from ingest.store.embedded import EmbeddedStore
from ingest.versions import stored_versions
from lib_graph.errors import UsageError
from lib_graph.support.arguments import checked

__all__ = ["CompactReport", "compact"]


@dataclass(frozen=True)
class CompactReport:
    """The bytes that a store takes on disk, its columns counted, before and after."""

    store: str
    before: int
    after: int

    def __str__(self) -> str:
        if self.after >= self.before:
            return f"Nothing to give back: {self.store} takes {self.after:,} bytes."
        return f"{self.store} takes {self.after:,} bytes; before it took {self.before:,}."


@checked
def compact(store: object = None) -> CompactReport:
    """Return what an embedded store takes once it is written anew, without its empty places.

    What it holds is as before. One that is cut off leaves the store as it was.

    Raises UsageError for a Neo4j server, which does this itself, and StoreUnavailableError if there
    is no store, or another process is writing it.
    """
    with using_store(store) as graph:
        if not isinstance(graph, EmbeddedStore):
            raise UsageError(
                f"{graph.name} is a server: it uses the space of what was deleted again by itself. "
                "'neo4j-admin database copy' makes its files smaller."
            )
        stored_versions(graph)  # where there is no store, writing would begin one
        before = graph.size()
        graph.vacuum()
        return CompactReport(graph.name, before, graph.size())
