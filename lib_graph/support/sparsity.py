"""How few of many non-negative numbers hold most of their sum: each measure of many rows at once.

Of the rows x of a matrix, n numbers each, with p = x / Σ x:

    count90, count99   how many of the largest make up 90 and 99 % of the sum
    gini               Σ_ij |x_i − x_j| / (2 n Σ x): 0 for equal numbers, 1 − 1/n for a single one
    hoyer              (√n − Σ x / √Σx²) / (√n − 1): 0 for equal numbers, 1 for a single one
    effective          exp(−Σ p ln p): n for equal numbers, 1 for a single one

Rows that sum to 0 have none of them: NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["count_carrying", "effective", "gini", "hoyer", "mean_known"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


def count_carrying(rows: Floats, part: float) -> Floats:
    """Return how many of the largest numbers of each row make up a part of its sum.

    >>> count_carrying(np.array([[3.0, 1.0, 0.0], [1.0, 1.0, 1.0]]), 0.9).tolist()
    [2.0, 3.0]
    """
    falling = -np.sort(-rows, axis=-1)
    total = falling.sum(-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        reached = np.cumsum(falling, -1) / total
    count = (reached < part - 1e-12).sum(-1) + 1.0
    return _known(count, rows)


def gini(rows: Floats) -> Floats:
    """Return the Gini index of each row.

    >>> gini(np.array([[0.0, 0.0, 5.0], [2.0, 2.0, 2.0]])).round(3).tolist()
    [0.667, 0.0]
    """
    n = rows.shape[-1]
    rising = np.sort(rows, axis=-1)
    weights = 2 * np.arange(1, n + 1) - n - 1
    with np.errstate(invalid="ignore"):
        return _known((rising * weights).sum(-1) / (n * rising.sum(-1)), rows)


def hoyer(rows: Floats) -> Floats:
    """Return Hoyer's sparsity of each row; NaN for rows of a single number.

    >>> hoyer(np.array([[0.0, 0.0, 5.0], [2.0, 2.0, 1.0]])).round(3).tolist()
    [1.0, 0.089]
    """
    root = np.sqrt(rows.shape[-1])
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (root - rows.sum(-1) / np.sqrt((rows**2).sum(-1))) / (root - 1)
    return _known(found, rows)


def effective(rows: Floats) -> Floats:
    """Return the effective number of each row, exp of the entropy of its shares.

    >>> effective(np.array([[0.0, 0.0, 5.0], [2.0, 2.0, 2.0]])).round(3).tolist()
    [1.0, 3.0]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = rows / rows.sum(-1, keepdims=True)
        terms = np.where(shares > 0, shares * np.log(shares), 0.0)
    return _known(np.exp(-terms.sum(-1)), rows)


def mean_known(rows: Floats) -> Floats:
    """Return the mean of what is known of each row, NaN where nothing is.

    >>> mean_known(np.array([[1.0, np.nan, 2.0], [np.nan] * 3])).tolist()
    [1.5, nan]
    """
    known = np.isfinite(rows)
    with np.errstate(invalid="ignore"):
        found: Floats = np.where(known, rows, 0.0).sum(-1) / known.sum(-1)
    return found


def _known(values: Floats, rows: Floats) -> Floats:
    found: Floats = np.where(rows.sum(-1) > 0, values, np.nan)
    return found
