"""Least costs from the first layer and to the last, which make exact path searches fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Hops", "potentials"]


@dataclass(frozen=True)
class Hops:
    """The interactions of one section that have a cost, as arrays of equal length."""

    source: NDArray[np.integer[Any]]
    target: NDArray[np.integer[Any]]
    cost: NDArray[np.float64]


def potentials(
    widths: Sequence[int], sections: Sequence[Hops], constants: Sequence[Sequence[int]]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Return `(cost_from_inputs, cost_to_outputs)`: per layer, an array by feature index.

    The cost of a path is the sum of the costs −ln share of its interactions. A feature of the
    first layer has cost_from_inputs 0, one of the last layer cost_to_outputs 0; NaN where no path
    leads. `widths[i]` is one more than the largest feature index of layer i, and `constants[i]`
    are the indices of its constant features, which have neither.

    >>> hops = Hops(np.array([0, 1]), np.array([0, 0]), np.array([2.0, 1.0]))
    >>> potentials([2, 1], [hops], [[], []])
    ([array([0., 0.]), array([1.])], [array([2., 1.]), array([0.])])
    """
    forward = [np.zeros(widths[0])]
    for section, width in zip(sections, widths[1:], strict=True):
        forward.append(_relax(forward[-1], section.source, section.target, section.cost, width))
    backward = [np.zeros(widths[-1])]
    for section, width in zip(reversed(sections), widths[-2::-1], strict=True):
        backward.append(_relax(backward[-1], section.target, section.source, section.cost, width))
    return _finish(forward, constants), _finish(backward[::-1], constants)


def _relax(
    known: NDArray[np.float64],
    start: NDArray[np.integer[Any]],
    end: NDArray[np.integer[Any]],
    cost: NDArray[np.float64],
    width: int,
) -> NDArray[np.float64]:
    """Return the least of `known[start] + cost` at each end, infinity where nothing arrives."""
    least = np.full(width, np.inf)
    np.minimum.at(least, end, known[start] + cost)
    return least


def _finish(
    layers: list[NDArray[np.float64]], constants: Sequence[Sequence[int]]
) -> list[NDArray[np.float64]]:
    finished = []
    for least, indices in zip(layers, constants, strict=True):
        least = np.where(np.isfinite(least), least, np.nan)
        least[list(indices)] = np.nan
        finished.append(least)
    return finished
