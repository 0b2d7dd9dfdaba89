"""What queries answer with: a table, and the Cypher that made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from queries.statements import Statement

__all__ = [
    "FEATURE_COLUMNS",
    "INTERACTION_COLUMNS",
    "Record",
    "Table",
    "records_of",
    "stacked",
    "typed",
]

FEATURE_COLUMNS = (
    "id", "layer", "layer_index", "index", "role", "importance", "variance", "label",
)  # fmt: skip
INTERACTION_COLUMNS = (
    "source", "target", "strength", "stderr", "effect", "share", "source_label", "target_label",
)  # fmt: skip

Record = dict[str, Any]
TYPES = {
    **dict.fromkeys(["strength", "stderr", "effect", "share", "importance", "variance"], "float64"),
    **dict.fromkeys(["index", "layer_index", "source_index", "target_index"], "int64"),
}
TEXTS = ("id", "layer", "role", "label", "source", "target", "source_label", "target_label")


@dataclass(frozen=True, eq=False)
class Table:
    """Rows with named columns, and the statements that gave them."""

    frame: pd.DataFrame
    statements: tuple[Statement, ...] = ()

    def json_value(self) -> list[Record]:
        """Return what JSON shows: `records()`."""
        return self.records()

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a DataFrame of their own."""
        return self.frame.copy()

    def records(self) -> list[Record]:
        """Return the rows as JSON has them: a missing number is None."""
        return records_of(self.frame)


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose known columns have their types, also where all is missing or empty.

    >>> typed(pd.DataFrame({"share": [None]}))["share"].dtype
    dtype('float64')
    """
    types = TYPES if len(frame) else {**TYPES, **dict.fromkeys(TEXTS, "string")}
    return frame.astype({name: types[name] for name in frame.columns if name in types})


def stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return frames of the same columns as one: an empty one has no say in the types.

    >>> stacked([pd.DataFrame({"n": []}), pd.DataFrame({"n": [1]})])["n"].tolist()
    [1]
    """
    return pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)


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
