"""Which row of a table of features a feature is, for whole columns of (layer, index) at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["FeatureRows", "layer_numbers"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """The rows of a table of features, by layer and index.

    `widths[i]` is one more than the largest index of layer i; `first[i]` is where its indices begin
    when those of all layers follow each other; `place` is where each row is there.

    >>> rows = FeatureRows.of(np.array([0, 1, 1]), np.array([0, 2, 0]), layers=2)
    >>> rows.at(np.array([1, 1, 1, -1]), np.array([0, 1, 2, 0])).tolist()
    [2, -1, 1, -1]
    """

    widths: Ints
    first: Ints
    place: Ints
    _row: Ints

    @classmethod
    def of(cls, layer: Ints, index: Ints, layers: int) -> FeatureRows:
        """Return the rows of features that are each in one of `layers` layers."""
        widths = np.zeros(layers, dtype=np.int64)
        np.maximum.at(widths, layer, index + 1)
        first = np.concatenate([[0], np.cumsum(widths)[:-1]])
        place = first[layer] + index
        row = np.full(int(widths.sum()), -1, dtype=np.int64)
        row[place] = np.arange(len(place))
        return cls(widths, first, place, row)

    def at(self, layer: Ints, index: NDArray[Any]) -> Ints:
        """Return the row of each (layer, index), -1 where there is none; an index may be NaN."""
        inside = (layer >= 0) & (index >= 0) & (index < self.widths[layer])
        place = self.first[layer] + np.where(inside, index, 0).astype(np.int64)
        return np.where(inside, self._row[np.where(inside, place, 0)], -1)


def layer_numbers(names: pd.Series[Any], known: dict[str, int]) -> Ints:
    """Return the number of each layer, -1 for a name that is not known.

    >>> layer_numbers(pd.Series(["b", "a", None, "c"]), {"a": 0, "b": 1}).tolist()
    [1, 0, -1, -1]
    """
    codes, unique = pd.factorize(names)
    numbers: Ints = np.array([*(known.get(name, -1) for name in unique), -1], dtype=np.int64)[codes]
    return numbers
