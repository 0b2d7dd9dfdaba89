"""What Python and notebooks show of an object: a table as plain text, and the same as HTML.

Texts have the colour of the page around them and lines are half transparent, so that it is as good
in a dark notebook as in a light one. Every text is escaped: labels are other people's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

from lib_graph.support.texts import counted, printable
from lib_graph.support.view import View

__all__ = ["Bar", "Display", "Displayed", "block", "paragraph", "table_html"]

MOST = 50  # rows: a notebook keeps what it shows
FIRST, WIDTH = 10, 80  # rows and letters of a line, of what Python shows
NO_TABLE = View((), ())
STYLE = """
.lib-graph {font-size: 13px; line-height: 1.4; overflow-x: auto}
.lib-graph table {border-collapse: collapse; margin: 4px 0; color: inherit; background: none}
.lib-graph tr {background: none}
.lib-graph th, .lib-graph td {padding: 2px 12px 2px 0; text-align: left; vertical-align: top;
  border: 0; border-bottom: 1px solid rgba(128, 128, 128, .3); color: inherit}
.lib-graph .n {text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap}
.lib-graph i {display: block; height: 4px; border-radius: 2px; background: #8a8a8a}
.lib-graph i.up {background: #0072b2} .lib-graph i.down {background: #d55e00}
.lib-graph figure {margin: 4px 0; padding: 8px; background: #fff; border-radius: 6px;
  overflow-x: auto; max-width: max-content}
.lib-graph figure svg {display: block; max-width: 100%; height: auto}
.lib-graph p {margin: 4px 0; white-space: pre-line}
""".strip()
WIDE = 80  # pixels of a bar for 1


@dataclass(frozen=True)
class Bar:
    """A number from 0 to 1 as a bar; the sign of `effect` is its colour."""

    part: float | None
    effect: float | None = None

    def html(self) -> str:
        """Return the bar, nothing for what is not known.

        >>> Bar(0.5, -2.0).html()
        '<i class="down" style="width: 40px" aria-hidden="true"></i>'
        """
        if self.part is None:
            return ""
        sign = "" if not self.effect else "up" if self.effect > 0 else "down"
        width = round(WIDE * min(max(self.part, 0.0), 1.0))
        return f'<i class="{sign}" style="width: {width}px" aria-hidden="true"></i>'


@dataclass(frozen=True)
class Display:
    """What is shown of an answer: what it is, and its table.

    As HTML some columns have a bar below each cell, and `picture`, which makes HTML, stands above.
    """

    about: str
    view: View = NO_TABLE
    bars: Mapping[str, Sequence[Bar]] = field(default_factory=dict)
    picture: Callable[[], str] = str

    def text(self) -> str:
        """Return it as plain text: the first rows, none over the width of a terminal.

        Nothing in it is obeyed by a terminal.

        >>> print(Display("2 numbers", View(("n",), [("1",), ("2",)])).text())
        2 numbers
        n
        1
        2
        """
        rows, rest = self.view.rows, len(self.view.rows) - FIRST
        first = map(_cut, replace(self.view, rows=rows[:FIRST]).lines()) if rows else []
        more = f"… {counted(rest, 'more row')}" if rest > 0 else ""
        parts = [self.about, self.view.above, *first, more, self.view.below]
        return printable("\n".join(filter(None, parts)))

    def html(self) -> str:
        """Return it as a block of a notebook."""
        view = self.view
        table = table_html(view, self.bars) if view.columns else ""
        return block(
            paragraph(self.about), self.picture(), paragraph(view.above), table,
            paragraph(view.below),
        )  # fmt: skip


class Displayed(ABC):
    """What shows itself in Python, at an IPython prompt and in a notebook."""

    __slots__ = ()

    @abstractmethod
    def _display(self) -> Display:
        """Return what is shown."""

    def __repr__(self) -> str:
        return self._display().text()

    def _repr_html_(self) -> str:
        return self._display().html()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        found = self._display()
        return {"text/plain": found.text(), "text/html": found.html()}


def _cut(row: str) -> str:
    line = " ".join(row.splitlines())
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def block(*parts: str) -> str:
    """Return parts that are HTML as one block of a notebook."""
    return f'<div class="lib-graph"><style>{STYLE}</style>{"".join(parts)}</div>'


def paragraph(text: str) -> str:
    """Return a text as HTML, nothing for no text.

    >>> paragraph("a < b"), paragraph("")
    ('<p>a &lt; b</p>', '')
    """
    return f"<p>{escape(printable(text))}</p>" if text else ""


def table_html(view: View, bars: Mapping[str, Sequence[Bar]] | None = None) -> str:
    """Return a table as HTML, with a bar below the cells of some columns.

    Of many rows the first are shown, and how many there are is said.

    >>> table_html(View(("a",), [("<b>",)]))
    '<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
    """
    bars = bars or {}

    def cell(tag: str, name: str, text: str, bar: str = "") -> str:
        right = ' class="n"' if name in view.numbers else ""
        return f"<{tag}{right}>{escape(printable(text))}{bar}</{tag}>"

    def cells(row: int, texts: Sequence[str]) -> Iterator[str]:
        for name, text in zip(view.columns, texts, strict=True):
            yield cell("td", name, text, bars[name][row].html() if name in bars else "")

    head = "".join(cell("th", name, name) for name in view.columns)
    body = "".join(f"<tr>{''.join(cells(i, row))}</tr>" for i, row in enumerate(view.rows[:MOST]))
    rest = len(view.rows) - MOST
    more = paragraph(f"The first {MOST} of {len(view.rows):,} rows.") if rest > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"
