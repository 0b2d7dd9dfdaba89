"""Run folder → graph store (Neo4j or embedded).

>>> import ingest
>>> report = ingest.load("runs/modular-addition", "graph.kgl")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest.compacting import CompactReport, compact
    from ingest.deleting import delete
    from ingest.loading import LoadReport, load
    from ingest.store import GraphStore, open_store
    from ingest.upgrading import upgrade

__all__ = [
    "CompactReport",
    "GraphStore",
    "LoadReport",
    "compact",
    "delete",
    "load",
    "open_store",
    "upgrade",
]

_HOME = {
    "CompactReport": "ingest.compacting",
    "GraphStore": "ingest.store",
    "LoadReport": "ingest.loading",
    "compact": "ingest.compacting",
    "delete": "ingest.deleting",
    "load": "ingest.loading",
    "open_store": "ingest.store",
    "upgrade": "ingest.upgrading",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is used: loading needs pandas, and `--help` does not."""
    if name not in _HOME:
        raise AttributeError(f"module 'ingest' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """Show what is public, also before it is imported."""
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
