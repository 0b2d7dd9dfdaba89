"""What lies on the paths between two ends, as arrays: what searches through paths work on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from queries.asking.ends import End
from queries.asking.reader import Reader
from queries.asking.statements import read_text

__all__ = ["NONE", "Between", "Indices", "Logs", "Shares", "between", "read_between"]

Indices = NDArray[np.int64]
Logs = NDArray[np.float64]
"""Logarithms to base 2 of shares and of their products, −∞ for nothing."""

NONE = -np.inf
BLOCK = 2**16  # numbers that are worked on at once


@dataclass(frozen=True, eq=False)
class Shares:
    """The interactions from one layer to the next, by target and then by source.

    `source` and `target` are positions among the features of their layers, which are `sources` and
    `targets` many.
    """

    source: Indices
    target: Indices
    share: NDArray[np.float64]
    sources: int
    targets: int

    def __len__(self) -> int:
        return len(self.share)

    @cached_property
    def logs(self) -> Logs:
        """log2 share."""
        return np.log2(self.share)

    @cached_property
    def inputs(self) -> Indices:
        """How many interactions lead into each target."""
        return np.bincount(self.target, minlength=self.targets)

    def best_into(self, rows: Logs, numbers: Indices | slice = slice(None)) -> Logs:
        """Return, for each row, the largest of row[source] + log2 share into each target.

        numbers: of these interactions alone, rising. −∞ for nothing.
        """
        source, target, logs = self.source[numbers], self.target[numbers], self.logs[numbers]
        found = np.full((len(rows), self.targets), NONE)
        some = np.flatnonzero((rows > NONE).any(axis=1))
        for part in range(0, len(some), step := max(1, BLOCK // max(1, len(source)))):
            taken = some[part : part + step]
            found[taken] = _largest(rows[taken][:, source] + logs, target, self.targets)
        return found

    def best_out(self, row: Logs) -> Logs:
        """Return the largest of log2 share + row[target] out of each source, −∞ for nothing."""
        source, target, logs = self._by_source
        best: Logs = _largest((row[target] + logs)[None], source, self.sources)[0]
        return best

    @cached_property
    def _by_source(self) -> tuple[Indices, Indices, Logs]:
        order = np.argsort(self.source, kind="stable")
        return self.source[order], self.target[order], self.logs[order]


@dataclass(frozen=True, eq=False)
class Between:
    """All features and interactions on some path from one end to another.

    `features[l]` are the indices, rising, of the features of the l-th layer, counted from the first
    end: those of the first are the starts, those of the last the ends. `sections[l]` are the
    interactions from layer l to layer l + 1. Where no path leads, all are empty.
    """

    features: tuple[Indices, ...]
    sections: tuple[Shares, ...]

    def __len__(self) -> int:
        return sum(map(len, self.sections))


def between(
    sections: Sequence[tuple[Indices, Indices, NDArray[np.float64]]],
    starts: Collection[int],
    ends: Collection[int],
) -> Between:
    """Return what of `sections` lies on a path from one of `starts` to one of `ends`.

    sections: source index, target index and share, from the first section to the last.

    >>> half = np.full(2, 0.5)
    >>> sections = [
    ...     (np.array([1, 4]), np.array([2, 3]), half),
    ...     (np.array([2, 3]), np.array([9, 8]), half),
    ... ]
    >>> found = between(sections, starts=[1, 4, 5], ends=[8])
    >>> [each.tolist() for each in found.features], len(found)
    ([[4], [3], [8]], 2)
    """
    reached = np.array(sorted(ends), dtype=np.int64)
    leading = []
    for source, target, share in reversed(sections):
        kept = np.isin(target, reached)
        leading.append((source[kept], target[kept], share[kept]))
        reached = np.unique(source[kept])
    features = [np.intersect1d(reached, np.array(sorted(starts), dtype=np.int64))]
    placed = []
    for source, target, share in reversed(leading):
        kept = np.isin(source, features[-1])
        source, target, share = source[kept], target[kept], share[kept]
        here, there = features[-1], np.unique(target)
        order = np.lexsort((source, target))
        ranks = np.searchsorted(here, source[order]), np.searchsorted(there, target[order])
        placed.append(Shares(*ranks, share[order], len(here), len(there)))
        features.append(there)
    return Between(tuple(features), tuple(placed))


def read_between(reader: Reader, source: End, target: End) -> Between:
    """Return what lies on a path of positive strength from `source` to `target`."""
    wanted = np.array(sorted(target.indices), dtype=np.int64)
    found = []
    for layer in range(target.layer, source.layer, -1):
        place = f"{reader.run}/{reader.layers[layer].name}"
        ids = [f"{place}/{index}" for index in wanted.tolist()]
        rows = reader.rows(read_text("shares_into"), targets=ids)
        targets = [[row["target"]] * len(row["sources"]) for row in rows]
        section = (
            _joined([row["sources"] for row in rows], np.int64),
            _joined(targets, np.int64),
            _joined([row["shares"] for row in rows], np.float64),
        )
        found.append(section)
        wanted = np.unique(section[0])
    return between(found[::-1], source.indices, target.indices)


def _largest(rows: Logs, places: Indices, width: int) -> Logs:
    """Return the largest value of each row at each of `width` places, −∞ where there is none.

    >>> _largest(np.array([[1.0, 3.0, 2.0]]), np.array([0, 0, 2]), 3)
    array([[  3., -inf,   2.]])
    """
    found = np.full((len(rows), width), NONE)
    if len(places):
        heads = np.flatnonzero(np.diff(places, prepend=-1))
        found[:, places[heads]] = np.maximum.reduceat(rows, heads, axis=1)
    return found


def _joined(parts: list[list[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *(np.array(each, dtype) for each in parts)])
