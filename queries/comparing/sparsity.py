"""How few of many non-negative numbers hold most of their sum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from queries.modules.weighted import Floats

__all__ = ["Sparsity", "sparsity"]


@dataclass(frozen=True)
class Sparsity:
    """Measures of sparsity, null where the sum is 0.

    for_90, for_99: how many of the largest numbers make up 90 and 99 % of the sum.
    gini: the Gini index, 0 for equal numbers, 1 − 1/n where only one is not 0.
    hoyer: (√n − Σx / √Σx²) / (√n − 1), 0 for equal numbers, 1 where only one is not 0; null for
        a single number.
    """

    for_90: int | None
    for_99: int | None
    gini: float | None
    hoyer: float | None


def sparsity(positive: Floats, n: int) -> Sparsity:
    """Return how sparse n numbers are of which those that are not 0 are given.

    >>> sparsity(np.array([3.0, 1.0]), 4)
    Sparsity(for_90=2, for_99=2, gini=0.625, hoyer=0.73...)
    """
    values = np.sort(positive)[::-1]
    total = float(values.sum())
    if total == 0:
        return Sparsity(None, None, None, None)
    reached = np.cumsum(values) / total
    rank = np.arange(n, n - len(values), -1)  # n for the largest, 1 for the smallest of all
    root = float(np.sqrt(n))
    norm = float(np.sqrt((values**2).sum()))
    return Sparsity(
        for_90=_first(reached, 0.90),
        for_99=_first(reached, 0.99),
        gini=float(((2 * rank - n - 1) * values).sum() / (n * total)),
        hoyer=None if n == 1 else (root - total / norm) / (root - 1),
    )


def _first(reached: Floats, part: float) -> int:
    """Return how many numbers reach a part of the sum, up to rounding."""
    return int(np.searchsorted(reached, part - 1e-12)) + 1
