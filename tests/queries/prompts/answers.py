"""What the answers about an attribution graph are compared by."""

from __future__ import annotations

from typing import Any

import pytest

from queries.graph import Graph


def names(graph: Graph) -> dict[str, str]:
    """The node id of each feature."""
    rows = graph.cypher("MATCH (f:Feature {run: $run}) RETURN f.id AS id, f.node AS node").records()
    return {row["id"]: row["node"] for row in rows}


def assert_alike(one: Any, other: Any) -> None:
    """The same rows, but for the last digits of numbers."""
    if isinstance(one, float) and isinstance(other, float):
        assert one == pytest.approx(other, rel=1e-9)
    elif isinstance(one, list):
        assert len(one) == len(other)
        for each, its in zip(one, other, strict=True):
            assert_alike(each, its)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_alike(value, other[key])
    else:
        assert one == other
