"""Tables that answer a question about a run, and are made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lib_graph.run.kept import Origin, made_from
from lib_graph.run.writing import write_rows

__all__ = ["answered"]


def answered(
    path: Path, schema: pa.Schema, origin: Origin, make: Callable[[], pd.DataFrame]
) -> pd.DataFrame:
    """Return rows from their file, made now if they are not there, or of something else."""
    if made_from(path) != origin:
        write_rows(path, schema, [make()], origin)
    frame: pd.DataFrame = pq.read_table(path, schema=schema).to_pandas()
    return frame
