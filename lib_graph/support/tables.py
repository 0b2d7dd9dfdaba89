"""Rows as files: CSV, JSON, Parquet.

Rows come as one or more frames with the same columns, so that a large table need not be in memory
at once.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lib_graph.errors import UsageError
from lib_graph.support.texts import json_text

__all__ = ["Frame", "Record", "records_of", "write_csv", "write_json_rows", "write_parquet"]

Record = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Frame:
    """A table whose rows a verb prints."""

    frame: pd.DataFrame

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows."""
        return self.frame.copy()

    def json_value(self) -> list[Record]:
        """Return the rows as JSON has them: `records_of`."""
        return records_of(self.frame)


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
            file.write(separator + json_text(record))
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


def _cell(value: Any) -> Any:
    return json.dumps(value, default=str) if isinstance(value, list | dict) else value


def records_of(frame: pd.DataFrame) -> list[Record]:
    """Return a frame's rows as dictionaries of plain Python values, None for what is missing.

    >>> records_of(pd.DataFrame({"n": [1, 2], "share": [0.5, float("nan")]}))
    [{'n': 1, 'share': 0.5}, {'n': 2, 'share': None}]
    """
    columns = [_plain(frame[name]) for name in frame.columns]
    return [dict(zip(frame.columns, row, strict=True)) for row in zip(*columns, strict=True)]


def _plain(column: pd.Series[Any]) -> list[Any]:
    missing = column.isna().tolist()
    return [None if gone else x for x, gone in zip(column.tolist(), missing, strict=True)]
