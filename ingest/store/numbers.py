"""Which nodes of the attribution graphs in a store are a feature of a dictionary: one small table.

It lies beside the columns and follows from them: a row for each node that is a feature, with the
number of its layer in the model (depth), its number in the dictionary, its run, and which row of
that run's features it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lib_graph.support.files import whole_file

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["NEEDED", "find_numbered", "numbered_nodes", "write_numbered"]

NEEDED = ["role", "depth", "number"]
"""Columns of the features that the table follows from"""


def numbered_nodes(run: str, features: pa.Table) -> pa.Table:
    """Return the rows for a run with these nodes."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    places = pc.and_(features["depth"].is_valid(), features["number"].is_valid())
    kept = pc.and_(places, pc.equal(features["role"], "feature"))
    rows = pa.table(
        {
            "depth": features["depth"],
            "number": features["number"],
            "row": pa.array(np.arange(len(features))),
        }
    ).filter(kept)
    return rows.append_column("run", pa.array([run] * len(rows), pa.string()))


def write_numbered(
    path: Path, before: Path | None, new: Mapping[str, pa.Table], kept: list[str]
) -> None:
    """Write the table of the runs `kept`, of which it takes the rows of `before`, and the new.

    Raises OSError where there is no room, or `before` cannot be read.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    tables = list(new.values())
    if before is not None:
        old = pq.read_table(before, use_threads=False)
        tables.append(old.filter(pc.is_in(old["run"], pa.array(kept, pa.string()))))
    with whole_file(path) as temporary:
        pq.write_table(pa.concat_tables(tables), temporary)


def find_numbered(path: Path, depth: int, number: int) -> dict[str, list[int]]:
    """Return, by run, the rows of its features that have this number in this layer.

    Raises OSError or ValueError if the table cannot be read.
    """
    import pyarrow.parquet as pq

    wanted = [("depth", "=", depth), ("number", "=", number)]
    rows = pq.read_table(path, columns=["run", "row"], filters=wanted, use_threads=False)
    found: dict[str, list[int]] = {}
    for run, row in zip(rows["run"].to_pylist(), rows["row"].to_pylist(), strict=True):
        found.setdefault(run, []).append(row)
    return found
