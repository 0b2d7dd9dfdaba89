"""Paths in their order, the strongest first, through what lies between two ends.

Of equals (costs that agree to 10 decimals) the first by the ids on their way comes first. The least
cost from every feature to the end is known beforehand, so the search looks at nothing that is worse
than the paths it yields, and interactions may skip layers.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np

from lib_graph.support import defaults
from lib_graph.support.tables import Record
from queries.asking.ends import End
from queries.asking.reader import Reader
from queries.asking.statements import read_text
from queries.circuits.between import Between, Logs, Mask, feature_ids, read_between

__all__ = ["Ground", "Way", "read_ground", "strongest_between"]

Way = tuple[int, ...]
"""The interactions of a path, by their places in a `Between`"""


@dataclass(frozen=True, eq=False)
class Ground:
    """What lies between two ends, and the ids of its features."""

    between: Between
    ids: list[str]

    @cached_property
    def costs(self) -> Logs:
        """-ln share of each interaction."""
        costs: Logs = 0.0 - np.log(self.between.share)
        return costs

    def in_order(self, free: Mask) -> Iterator[Way]:
        """Yield all paths of free interactions, the strongest first."""
        ground, costs, ranks = self.between, self.costs, self._ranks
        rest = self._least_costs(free)
        order = np.argsort(ground.source, kind="stable")
        order = order[free[order] & np.isfinite(rest[ground.target[order]])]
        first = np.searchsorted(ground.source[order], np.arange(len(rest) + 1))
        starts = np.flatnonzero(ground.starts & np.isfinite(rest)).tolist()
        heap: list[tuple[float, Way, Way, float, int]] = [
            (round(float(rest[place]), defaults.COST_DECIMALS), (ranks[place],), (), 0.0, place)
            for place in starts
        ]
        heapq.heapify(heap)
        while heap:
            _, names, way, cost, place = heapq.heappop(heap)
            if ground.ends[place]:
                yield way
                continue
            for edge in order[first[place] : first[place + 1]].tolist():
                there, so_far = int(ground.target[edge]), cost + float(costs[edge])
                least = round(so_far + float(rest[there]), defaults.COST_DECIMALS)
                heapq.heappush(heap, (least, (*names, ranks[there]), (*way, edge), so_far, there))

    def records(self, reader: Reader, ways: Iterable[Way]) -> list[Record]:
        """Return paths with their features and shares: strength, cost, path, shares, labels."""
        chosen = [(way, [self.ids[place] for place in self._features(way)]) for way in ways]
        wanted = sorted({name for _, names in chosen for name in names})
        rows = reader.rows(read_text("features_by_id"), ids=wanted) if wanted else []
        label = {row["id"]: row["label"] or "" for row in rows}
        return [
            {
                "strength": float(np.prod(self.between.share[list(way)])),
                "cost": float(self.costs[list(way)].sum()),
                "path": names,
                "shares": self.between.share[list(way)].tolist(),
                "labels": [label[name] for name in names],
            }
            for way, names in chosen
        ]

    @cached_property
    def _ranks(self) -> list[int]:
        """The place of each id when all are sorted."""
        ranks = {name: rank for rank, name in enumerate(sorted(self.ids))}
        return [ranks[name] for name in self.ids]

    def _least_costs(self, free: Mask) -> Logs:
        """Return the least cost from each feature to an end by free interactions, ∞ for none."""
        ground = self.between
        rest = np.where(ground.ends, 0.0, np.inf)
        for _, edges in reversed(ground.out_of):
            kept = edges[free[edges]]
            reached = self.costs[kept] + rest[ground.target[kept]]
            np.minimum.at(rest, ground.source[kept], reached)
        return rest

    def _features(self, way: Way) -> list[int]:
        ground = self.between
        return [int(ground.source[way[0]]), *(int(ground.target[edge]) for edge in way)]


def read_ground(reader: Reader, source: End, target: End) -> Ground:
    """Return what lies on a path of positive strength from `source` to `target`."""
    between = read_between(reader, source, target)
    return Ground(between, feature_ids(reader, between))


def strongest_between(reader: Reader, source: End, target: End, k: int) -> list[Record]:
    """Return the k strongest paths: strength, cost, path, shares, labels."""
    ground = read_ground(reader, source, target)
    every = np.ones(len(ground.between), dtype=bool)
    return ground.records(reader, islice(ground.in_order(every), k))
