"""What a verb prints: rows, and a table of them for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Rows", "View"]


class Rows(Protocol):
    """What a verb can print."""

    def json_value(self) -> Any:
        """Return what JSON shows."""
        ...

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows."""
        ...


@dataclass(frozen=True)
class View:
    """A table for a person: cells that are text already.

    `numbers` are the columns that are set to the right, `whole` those that are never broken over
    lines (numbers and ids).
    """

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    numbers: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    above: str = ""
    below: str = ""

    def lines(self) -> list[str]:
        """Return the table as plain text, a line per row.

        >>> View(("id", "n"), [("a", "1"), ("b", "12")], frozenset(["n"])).lines()
        ['id   n', 'a    1', 'b   12']
        """
        cells = [self.columns, *self.rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        right = [name in self.numbers for name in self.columns]
        return [
            "  ".join(
                text.rjust(width) if number else text.ljust(width)
                for text, width, number in zip(row, widths, right, strict=True)
            ).rstrip()
            for row in cells
        ]
