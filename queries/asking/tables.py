"""What queries answer with: a table, and the Cypher that made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from lib_graph.support.showing import Display, Displayed
from lib_graph.support.tables import Record, records_of
from queries.asking.statements import Statement

__all__ = ["Table", "records_of", "stacked", "typed"]

TYPES = {
    **dict.fromkeys(["strength", "stderr", "effect", "share", "importance", "variance"], "float64"),
    **dict.fromkeys(["other_strength", "other_share", "ratio"], "float64"),
    **dict.fromkeys(["index", "layer_index", "source_index", "target_index"], "int64"),
}
TEXTS = ("id", "layer", "role", "label", "source", "target", "source_label", "target_label")


@dataclass(frozen=True, eq=False, repr=False)
class Table(Displayed):
    """Rows with named columns, and the statements that gave them."""

    frame: pd.DataFrame
    statements: tuple[Statement, ...] = ()

    @property
    def pasted(self) -> Statement | None:
        """The statement that gives these rows, to be pasted into Neo4j Browser."""
        return self.statements[-1] if self.statements else None

    def json_value(self) -> list[Record]:
        """Return what JSON shows: `records()`."""
        return self.records()

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a DataFrame of their own."""
        return self.frame.copy()

    def records(self) -> list[Record]:
        """Return the rows as JSON has them: a missing number is None."""
        return records_of(self.frame)

    def _display(self) -> Display:
        from queries.notebook.answers import table_display

        return table_display(self)


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
