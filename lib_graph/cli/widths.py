"""How wide the columns of a table are on a terminal, and so what is folded first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lib_graph.support.view import View

__all__ = ["Widths", "fitted"]

LEAST = 24  # of a column that is folded at its words
TIGHTEST = 6  # of one that is folded where there is little room
GAP, NARROW = 3, 2  # between two columns


@dataclass(frozen=True)
class Widths:
    """The widths of a table's columns, and what is between two of them."""

    columns: tuple[int, ...]
    gap: int

    @property
    def total(self) -> int:
        """Return the width of a line.

        >>> Widths((6, 10, 4), 3).total
        26
        """
        return sum(self.columns) + self.gap * (len(self.columns) - 1)


def fitted(view: View, width: int, *, wide: bool = False) -> Widths:
    """Return widths whose sum with the gaps is at most `width`, so that no column is lost.

    First words are folded, then more tightly, then the headings of numbers and ids, and these
    themselves last of all. What is left over goes to the columns that take the most lines. `wide`
    folds no more than words, whatever the sum is.

    >>> fitted(View(("id", "text"), [("ln2.0/1", "word " * 9)], whole=frozenset(["id"])), 40)
    Widths(columns=(7, 30), gap=3)
    """
    rungs = _rungs(view, width)
    least = next(rungs)
    if wide:
        width = max(width, least.total)
    while least.total > width:
        tighter = next(rungs, None)
        if tighter is None:
            return least
        least = tighter
    return _grown(view, least, width)


def _rungs(view: View, width: int) -> Iterator[Widths]:
    """Yield the least widths, from what folds little to what folds everything."""
    texts = [_lengths(view, i) for i in range(len(view.columns))]
    solid = [name in view.numbers or name in view.whole for name in view.columns]
    yield Widths(
        tuple(
            max(head, cell) if whole else min(max(LEAST, word), max(head, cell))
            for (head, cell, word), whole in zip(texts, solid, strict=True)
        ),
        GAP,
    )
    tight = tuple(
        max(head, cell) if whole else min(TIGHTEST, max(head, cell))
        for (head, cell, _), whole in zip(texts, solid, strict=True)
    )
    yield Widths(tight, GAP)
    yield Widths(tight, NARROW)
    yield Widths(
        tuple(
            max(cell, min(TIGHTEST, head)) if whole else least
            for (head, cell, _), whole, least in zip(texts, solid, tight, strict=True)
        ),
        NARROW,
    )
    room = max(1, (width - NARROW * (len(texts) - 1)) // len(texts))
    yield Widths(tuple(min(TIGHTEST, room, max(head, cell)) for head, cell, _ in texts), NARROW)


def _grown(view: View, least: Widths, width: int) -> Widths:
    """Return the widths with what is left over given to the columns that take the most lines."""
    full = [max(_lengths(view, i)) for i in range(len(view.columns))]
    columns = list(least.columns)
    for _ in range(width - least.total):
        most = max(range(len(columns)), key=lambda i: full[i] / max(1, columns[i]))
        if columns[most] >= full[most]:
            break
        columns[most] += 1
    return Widths(tuple(columns), least.gap)


def _lengths(view: View, i: int) -> tuple[int, int, int]:
    """Return what a column's heading, its longest cell and its longest word take."""
    from rich.cells import cell_len

    cells = [row[i] for row in view.rows]
    words = (word for text in (view.columns[i], *cells) for word in text.split())
    return (
        cell_len(view.columns[i]),
        max(map(cell_len, cells), default=0),
        max(map(cell_len, words), default=0),
    )
