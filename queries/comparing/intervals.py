"""Basic bootstrap intervals of what draws of sequences say (docs/method.md §18)."""

from __future__ import annotations

import numpy as np

from lib_graph.support.sparsity import Floats

__all__ = ["Interval", "basic_interval", "ratio_interval"]

PERCENTILES = (2.5, 97.5)

Interval = dict[str, float | None]
"""value, low and high; the last two None without draws."""


def basic_interval(draws: Floats) -> Interval:
    """Return the value of draw 0, and its basic interval from the other draws, if there are any.

    With percentiles p and P of the draws it goes from 2 value − P to 2 value − p: what draws are
    off by, of the value, the value is taken to be off by, of what all text would give.
    """
    value, others = float(draws[0]), draws[1:][np.isfinite(draws[1:])]
    if not len(others):
        return {"value": value, "low": None, "high": None}
    low, high = np.percentile(others, PERCENTILES)
    return {"value": value, "low": float(2 * value - high), "high": float(2 * value - low)}


def ratio_interval(logs: Floats) -> Interval:
    """Return the ratio of draw 0, of ln of ratios, and its interval, taken in ln."""
    found = basic_interval(logs)
    return {name: None if x is None else float(np.exp(x)) for name, x in found.items()}
