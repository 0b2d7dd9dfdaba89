"""Rows as files: CSV, JSON, Parquet; graphs as GraphML.

Rows come as one or more frames with the same columns, so that a large table need not be in memory
at once.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lib_graph.errors import UsageError
from queries.answers import records_of

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["write_csv", "write_graphml", "write_json_rows", "write_parquet"]


def write_csv(frames: Iterable[pd.DataFrame], file: IO[str]) -> None:
    """Write rows as CSV with a header; a list is written as JSON, nothing for what is missing."""
    writer = csv.writer(file, lineterminator="\n")
    for number, frame in enumerate(frames):
        if number == 0:
            writer.writerow(frame.columns)
        for record in records_of(frame):
            writer.writerow([_cell(value) for value in record.values()])


def write_json_rows(frames: Iterable[pd.DataFrame], file: IO[str]) -> None:
    """Write rows as a JSON array of objects, one a line."""
    file.write("[")
    separator = "\n"
    for frame in frames:
        for record in records_of(frame):
            file.write(separator + json.dumps(record, ensure_ascii=False, default=str))
            separator = ",\n"
    file.write("\n]\n")


def write_parquet(frames: Iterable[pd.DataFrame], file: IO[bytes]) -> None:
    """Write rows as Parquet, a row group per frame.

    Raises UsageError if a column mixes types, which only rows of a user's own text can.
    """
    try:
        tables = (pa.Table.from_pandas(frame, preserve_index=False) for frame in frames)
        first = next(tables)
        schema = first.schema.remove_metadata()
        with pq.ParquetWriter(file, schema) as writer:
            writer.write_table(first.cast(schema))
            for table in tables:
                writer.write_table(table.cast(schema))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"These rows do not fit a Parquet file ({reason}). Use --json.") from error


def write_graphml(graph: nx.DiGraph[str], file: IO[bytes]) -> None:
    """Write a graph as GraphML."""
    import networkx as nx

    nx.write_graphml(graph, file)


def _cell(value: Any) -> Any:
    return json.dumps(value, default=str) if isinstance(value, list | dict) else value
