"""What passes over data have in common, whether a build makes them or what is asked of a run."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lib_graph.run.kept import Origin
from lib_graph.support.processes import ALONE, World
from lib_graph.support.progress import USUAL, Progress

__all__ = ["Passes"]


@dataclass(frozen=True)
class Passes:
    """What some passes are of, who makes them, who hears of it, and where they are not finished.

    `origin` is all that their numbers follow from: what was cut off goes on for the same alone.
    `partial` is the folder of what is not finished (None: a pass that is cut off starts again).
    `timings` are the CPU seconds of the stages.
    """

    origin: Origin
    partial: Path | None = None
    progress: Progress = USUAL
    world: World = ALONE
    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a stage, and keep its CPU seconds."""
        start = time.process_time()
        with self.progress.stage(name, total) as advance:
            yield advance
        self.timings[name] = time.process_time() - start

    def close(self) -> None:
        """Forget what was not finished."""
        if self.partial is not None:
            shutil.rmtree(self.partial, ignore_errors=True)
