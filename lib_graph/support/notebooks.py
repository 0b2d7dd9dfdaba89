"""Progress in a notebook: one place below the cell, which says how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from html import escape
from typing import Any

from lib_graph.support.progress import time_left
from lib_graph.support.showing import block, paragraph
from lib_graph.support.texts import printable

__all__ = ["MARK", "NotebookProgress", "current_progress"]

MARK = "lib-graph-progress"
"""The key, in the metadata of an output, of what is shown while a cell runs"""

OFTEN = 0.2  # seconds between two looks
LINES = 6  # finished stages that stay in sight


class NotebookProgress:
    """Progress of one cell: the stages that are over, and a bar of the one that runs.

    show: puts HTML below the cell, update: puts other HTML in its place.
    """

    def __init__(self, show: Callable[[str], Callable[[str], None]]) -> None:
        self._show = show
        self._update: Callable[[str], None] | None = None
        self._lines: list[str] = []
        self._last = 0.0

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a stage from its start to its end, and how long it took."""
        start, done = time.perf_counter(), 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            if time.perf_counter() - self._last >= OFTEN:
                self._draw(_bar(name, done, total, time.perf_counter() - start))

        self._draw(_bar(name, 0, total, 0.0))
        yield advance
        self.say(f"{name}: {time.perf_counter() - start:.1f} s")

    def say(self, line: str) -> None:
        """Show one line below those before it."""
        self._lines.append(line)
        self._draw("")

    def _draw(self, running: str) -> None:
        self._last = time.perf_counter()
        hidden = len(self._lines) - LINES
        lines = [f"… {hidden} more before"] if hidden > 0 else []
        html = block(paragraph("\n".join([*lines, *self._lines[-LINES:]])), running)
        if self._update is None:
            self._update = self._show(html)
        else:
            self._update(html)


def _bar(name: str, done: int, total: int, seconds: float) -> str:
    left = f", {time_left(done, total, seconds)}" if 0 < done < total else ""
    part = f"{done / total:.0%}" if total else ""
    shown = f'<progress value="{done}" max="{max(total, 1)}"></progress>'
    return f"<p>{escape(printable(name))} {shown} {part}{left}</p>"


def current_progress() -> NotebookProgress | None:
    """Return the progress of the cell that runs, None where this process is no notebook's."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return _of_cell(shell.execution_count)


@lru_cache(maxsize=1)
def _of_cell(cell: int) -> NotebookProgress:
    return NotebookProgress(_show)


def _show(html: str) -> Callable[[str], None]:
    from IPython.display import display

    def data(new: str) -> dict[str, str]:
        return {"text/html": new, "text/plain": ""}

    marks: dict[str, Any] = {"raw": True, "metadata": {MARK: True}}
    shown: Any = display
    handle = shown(data(html), display_id=True, **marks)
    return lambda new: handle.update(data(new), **marks)
