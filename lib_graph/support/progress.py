"""Progress as an interface: shown in a notebook, silent in a program, on stderr by a command."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = [
    "SILENT",
    "USUAL",
    "ConsoleProgress",
    "Limit",
    "Progress",
    "Silent",
    "Usual",
    "time_left",
]

Advance = Callable[[int], None]


class Limit(int):
    """The total of a stage that ends when it has what it wants: so many steps at most."""


class Progress(Protocol):
    """Whatever wants to hear how far a long computation is."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Advance]:
        """Return a context that yields `advance(n)`: n of `total` more steps are done."""
        ...

    def say(self, line: str) -> None:
        """Tell one line that belongs to no stage."""
        ...


class Silent:
    """Progress that nobody watches."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        """Yield an `advance` that does nothing."""
        yield lambda n: None

    def say(self, line: str) -> None:
        """Do nothing."""


SILENT = Silent()


class Usual:
    """Progress where nobody said otherwise: shown in a notebook, silent everywhere else."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Advance]:
        """Return the context of a stage."""
        return _here().stage(name, total)

    def say(self, line: str) -> None:
        """Show one line in a notebook."""
        _here().say(line)


USUAL = Usual()


def _here() -> Progress:
    if "IPython" not in sys.modules:
        return SILENT
    from lib_graph.support.notebooks import current_progress

    return current_progress() or SILENT


class ConsoleProgress:
    """Progress on stderr: a live bar on a terminal, elsewhere a plain line per finished stage.

    There a stage that takes more than `soon` seconds says how far it is, and every `again` seconds
    from then on.
    """

    soon = 2.0
    again = 60.0

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        """Show a stage from its start to its end."""
        from rich.markup import escape
        from rich.progress import Progress as Bars

        start = time.perf_counter()
        if self._console.is_terminal:
            most = ", at most" if isinstance(total, Limit) else ""
            with Bars(console=self._console, transient=True) as bars:
                task = bars.add_task(escape(name + most), total=total)
                yield lambda n: bars.advance(task, n)
        else:
            with self._told(name, total, start) as advance:
                yield advance
        self.say(f"{name}: {time.perf_counter() - start:.1f} s")

    @contextmanager
    def _told(self, name: str, total: int, start: float) -> Iterator[Advance]:
        """Say of a stage that takes long how far it is: soon, and then again and again."""
        done, over = [0], threading.Event()

        def advance(n: int) -> None:
            done[0] += n

        def tell() -> None:
            wait = self.soon
            while not over.wait(wait):
                self.say(f"{name}: {_how_far(done[0], total, time.perf_counter() - start)}")
                wait = self.again

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield advance
        finally:
            over.set()
            teller.join()

    def say(self, line: str) -> None:
        """Print one line to stderr."""
        self._console.print(line, markup=False, soft_wrap=True)
        sys.stderr.flush()


def _how_far(done: int, total: int, seconds: float) -> str:
    """Return how much of a stage is done, and how long the rest may take.

    >>> _how_far(0, 8, 2.0), _how_far(2, 8, 30.0), _how_far(1, 2, 150.0)
    ('0 %', '25 %, about 90 s left', '50 %, about 150 s left')
    >>> _how_far(0, Limit(8), 2.0), _how_far(2, Limit(8), 30.0)
    ('0 % of the most it may take', '25 % of the most it may take, at most about 90 s left')
    """
    most = " of the most it may take" if isinstance(total, Limit) else ""
    if not done or not total:
        return f"0 %{most}"
    part = f"{min(done, total) / total:.0%}".replace("%", " %")
    return f"{part}{most}, {time_left(done, total, seconds)}"


def time_left(done: int, total: int, seconds: float) -> str:
    """Return how long the rest of a stage may take, of which so much was done in so many seconds.

    >>> time_left(2, 8, 30.0), time_left(2, Limit(8), 30.0)
    ('about 90 s left', 'at most about 90 s left')
    """
    most = "at most " if isinstance(total, Limit) else ""
    return f"{most}about {max(seconds * (total - done) / done, 0):.0f} s left"
