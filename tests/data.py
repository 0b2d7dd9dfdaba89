"""Reference data that is not part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "LIB_GRAPH_TEST_DATA"
DEFAULT = Path(__file__).parents[2] / "shared" / "data"


def reference_data(name: str) -> Path:
    """Return the path of some reference data; skip the test where there is none.

    Where the variable LIB_GRAPH_TEST_DATA says where the data is, missing data is a failure.
    """
    wanted = os.environ.get(VARIABLE)
    path = (Path(wanted) if wanted else DEFAULT) / name
    if not path.exists():
        if wanted:
            pytest.fail(f"{VARIABLE} is {wanted!r}, where there is no {name!r}.")
        pytest.skip(f"no reference data {name!r}: set {VARIABLE} to the folder that holds it")
    return path
