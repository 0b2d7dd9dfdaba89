"""Twin of the strongest-path texts: the same walk, over the columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.store.columns import Columns
from lib_graph.support import defaults
from queries.columnar.rows import Bools, Floats, Ints

__all__ = ["strongest_paths"]

SLACK = 1e-9  # more than rounding, and than half of the last of these decimals


@dataclass(frozen=True, eq=False)
class _Ways:
    """The rows that are kept, the best first: features from where the walk began, and numbers."""

    way: NDArray[np.int64]
    shares: NDArray[np.float64]
    strength: Floats
    cost: Floats
    through: Floats

    def __len__(self) -> int:
        return len(self.cost)

    def take(self, rows: Ints) -> _Ways:
        return _Ways(*(column[rows] for column in vars(self).values()))

    def bound(self, k: int) -> float:
        """The most that a row of the next layer can cost if it is to be among the k best."""
        return np.inf if len(self) < k else float(self.through.max()) * (1 + SLACK) + SLACK


def strongest_paths(
    columns: Columns, layers: Sequence[int], rest: Sequence[Floats], start: Bools, k: int
) -> list[dict[str, Any]]:
    """Return the rows of the strongest-path texts: strength, cost, path, shares, labels.

    layers: on the way, in the order of the walk, which is backwards where they fall. rest: for each
    of them, by feature, the least cost to the other end, NaN where it cannot be reached. start: the
    features that the walk may start from.
    """
    ways = _begin(columns, layers[0], rest[0], start, k)
    for (here, there), ahead in zip(pairwise(layers), rest[1:], strict=True):
        ways = _step(columns, ways, here, there, ahead, k)
    names, labels = columns.features["id"].to_numpy(), columns.features["label"].to_numpy()
    turn = slice(None, None, 1 if layers[-1] > layers[0] else -1)
    return [
        {
            "strength": float(ways.strength[i]),
            "cost": float(ways.cost[i]),
            "path": names[ways.way[i][turn]].tolist(),
            "shares": ways.shares[i][turn].tolist(),
            "labels": labels[ways.way[i][turn]].tolist(),
        }
        for i in range(len(ways))
    ]


def _begin(columns: Columns, layer: int, rest: Floats, start: Bools, k: int) -> _Ways:
    rows = np.flatnonzero((columns.layer == layer) & ~columns.constant & start & ~np.isnan(rest))
    through = np.round(rest[rows], defaults.COST_DECIMALS)
    ways = _Ways(
        rows[:, None], np.zeros((len(rows), 0)), np.ones(len(rows)), np.zeros(len(rows)), through
    )
    return ways.take(np.lexsort((columns.rank[rows], through))[:k])


def _step(columns: Columns, ways: _Ways, here: int, there: int, rest: Floats, k: int) -> _Ways:
    """Return the k best rows that are one interaction longer."""
    section = columns.section(min(here, there), "share")
    begin, end = section.source, section.target
    if here > there:
        begin, end = end, begin
    on_way = np.zeros(len(columns.layer), dtype=bool)
    on_way[ways.way[:, -1]] = True
    kept = np.flatnonzero(on_way[begin] & (section["share"] > 0) & ~np.isnan(rest[end]))
    kept = kept[np.argsort(begin[kept], kind="stable")]
    share = section["share"][kept]
    cost, begin, end = 0.0 - np.log(share), begin[kept], end[kept]
    first, last = (np.searchsorted(begin, ways.way[:, -1], side) for side in ("left", "right"))
    row = np.repeat(np.arange(len(ways)), last - first)
    step = np.arange(len(row)) - np.repeat(np.cumsum(last - first) - last, last - first)
    through = ways.cost[row] + cost[step] + rest[end[step]]
    inside = through <= ways.bound(k)
    row, step, through = (
        row[inside],
        step[inside],
        np.round(through[inside], defaults.COST_DECIMALS),
    )
    order = np.lexsort((columns.rank[end[step]], _order(columns, ways)[row], through))[:k]
    row, step = row[order], step[order]
    return _Ways(
        np.concatenate([ways.way[row], end[step][:, None]], axis=1),
        np.concatenate([ways.shares[row], share[step][:, None]], axis=1),
        ways.strength[row] * share[step],
        ways.cost[row] + cost[step],
        through[order],
    )


def _order(columns: Columns, ways: _Ways) -> Ints:
    """Return the place of each row when all are sorted by the ids on their way."""
    order = np.lexsort(columns.rank[ways.way].T[::-1])
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place
