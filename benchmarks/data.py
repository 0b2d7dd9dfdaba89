"""Data that is not part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["reference_data"]

VARIABLE = "LIB_GRAPH_TEST_DATA"
DEFAULT = Path(__file__).parents[2] / "shared" / "data"


def reference_data(name: str) -> Path | None:
    """Return the path of some reference data; None, and a line about it, where there is none."""
    path = Path(os.environ.get(VARIABLE, DEFAULT)) / name
    if path.exists():
        return path
    print(f"No {name}: left out. {VARIABLE} says in which folder it is.")
    return None
