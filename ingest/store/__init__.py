"""Graph stores: Neo4j and an embedded file, behind one seam.

`open_store` finds out which one a person means.
"""

from __future__ import annotations

from ingest.store.opening import DEFAULT_STORE, open_store, using_store
from ingest.store.protocol import Capabilities, GraphStore, Row, Transaction, WriteResult

__all__ = [
    "DEFAULT_STORE",
    "Capabilities",
    "GraphStore",
    "Row",
    "Transaction",
    "WriteResult",
    "open_store",
    "using_store",
]
