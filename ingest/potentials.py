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
    """Interactions that have a cost, as arrays of equal length, by layer of their source."""

    source_layer: NDArray[np.integer[Any]]
    source: NDArray[np.integer[Any]]
    target_layer: NDArray[np.integer[Any]]
    target: NDArray[np.integer[Any]]
    cost: NDArray[np.float64]

    def by_layer(self) -> list[Hops]:
        """Return the hops out of each layer."""
        cuts = np.flatnonzero(np.diff(self.source_layer)) + 1
        columns = zip(*(np.split(column, cuts) for column in vars(self).values()), strict=True)
        return [Hops(*part) for part in columns]


def potentials(
    widths: Sequence[int], sections: Sequence[Hops], constants: Sequence[Sequence[int]]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Return `(cost_from_inputs, cost_to_outputs)`: per layer, an array by feature index.

    `sections` are all hops in the order of the layers, each to any later layer. The cost of a path
    is the sum of the costs −ln share of its interactions. A feature of the first layer has
    cost_from_inputs 0, one of the last layer cost_to_outputs 0; NaN where no path leads.
    `widths[i]` is one more than the largest feature index of layer i, and `constants[i]` are the
    indices of its constant features, which have neither.

    >>> places = np.array([0, 0]), np.array([0, 1]), np.array([1, 1]), np.array([0, 0])
    >>> hops = Hops(*places, np.array([2.0, 1.0]))
    >>> potentials([2, 1], [hops], [[], []])
    ([array([0., 0.]), array([1.])], [array([2., 1.]), array([0.])])
    """
    first = np.concatenate([[0], np.cumsum(widths)])  # of each layer among all features
    forward, backward = (np.full(int(first[-1]), np.inf) for _ in range(2))
    forward[: first[1]] = backward[first[-2] :] = 0.0
    placed = [
        (first[hops.source_layer] + hops.source, first[hops.target_layer] + hops.target, hops.cost)
        for section in sections
        for hops in section.by_layer()
    ]
    for source, target, cost in placed:
        np.minimum.at(forward, target, forward[source] + cost)
    for source, target, cost in reversed(placed):
        np.minimum.at(backward, source, backward[target] + cost)
    return tuple(  # type: ignore[return-value]
        _finish(np.split(least, first[1:-1]), constants) for least in (forward, backward)
    )


def _finish(
    layers: list[NDArray[np.float64]], constants: Sequence[Sequence[int]]
) -> list[NDArray[np.float64]]:
    finished = []
    for least, indices in zip(layers, constants, strict=True):
        least = np.where(np.isfinite(least), least, np.nan)
        least[list(indices)] = np.nan
        finished.append(least)
    return finished
