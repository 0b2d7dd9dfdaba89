"""Figures, and the processes that they are taken in."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Any

__all__ = ["Figure", "Sample", "in_fresh_process", "repeated"]

Sample = Mapping[str, float]
"""Figure's name -> value in one repetition"""


@dataclass(frozen=True)
class Figure:
    """One thing that was measured, in every repetition.

    `limit`: what the project promises, to stay under it or, `at_least`, to reach it.
    """

    name: str
    unit: str
    values: tuple[float, ...]
    limit: float | None = None
    at_least: bool = False

    @property
    def median(self) -> float:
        """The value to quote."""
        return median(self.values)

    @property
    def kept(self) -> bool | None:
        """Whether the promise is kept, if there is one."""
        if self.limit is None:
            return None
        return self.median >= self.limit if self.at_least else self.median <= self.limit


def repeated(
    samples: Sequence[Sample], units: Mapping[str, str], limits: Sample, *, at_least: bool = False
) -> list[Figure]:
    """Return the figures of repetitions that measured the same things."""
    return [
        Figure(name, unit, tuple(sample[name] for sample in samples), limits.get(name), at_least)
        for name, unit in units.items()
    ]


def in_fresh_process(function: Callable[..., Sample], *arguments: Any) -> tuple[Sample, float]:
    """Return what a function of a module returns, and its peak memory in GB, in a new process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_with_peak, function, arguments).result()


def _with_peak(function: Callable[..., Sample], arguments: tuple[Any, ...]) -> tuple[Sample, float]:
    from lib_graph.support.memory import highest_bytes  # it brings torch, which stores do without

    return function(*arguments), highest_bytes() / 1e9
