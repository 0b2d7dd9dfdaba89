"""Shares as the graph has them: each is positive, so that its cost is a number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST_SHARE", "positive"]

LEAST_SHARE = float(np.finfo(np.float64).smallest_subnormal)


def positive(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return shares with the smallest positive number for those too small for one; NaN stays.

    >>> positive(np.array([0.0, 0.5, np.nan])).tolist()
    [5e-324, 0.5, nan]
    """
    least: NDArray[np.float64] = np.maximum(share, LEAST_SHARE)
    return least
