"""The strongest paths of which few take the same interaction.

All paths in order, the strongest first and of equals (costs that agree to 10 decimals) the first by
the ids on their way: each is taken unless an interaction on it is on as many of the paths taken
before as may be. The next one is always the strongest that is not taken yet among the paths whose
interactions are all free, which a search finds that knows the least cost from every feature to the
end: it looks at nothing that is worse.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lib_graph.errors import UsageError
from queries.asking.ends import End
from queries.asking.reader import Reader
from queries.asking.statements import read_text
from queries.circuits.between import Between, Mask, feature_ids, read_between
from queries.circuits.paths import Path, Paths, check_ends

__all__ = ["distinct_paths"]

DECIMALS = 10  # to which costs agree that are equal
Costs = NDArray[np.float64]
Way = tuple[int, ...]
"""The interactions of a path, by their places in a `Between`"""


def distinct_paths(reader: Reader, source: End, target: End, *, k: int, most: int) -> Paths:
    """Return the k strongest paths of which at most `most` take the same interaction, exactly.

    Fewer come back where there are fewer. Raises UsageError if k < 1 or most < 1, or if the ends
    are not in the order of the layers.
    """
    check_ends(source, target, k)
    if most < 1:
        raise UsageError(f"{most} paths through an interaction are none. Allow at least 1.")
    ground = read_between(reader, source, target)
    ids = feature_ids(reader, ground)
    ways = _strongest(ground, _ranks(ids), k, most)
    places = sorted({place for way in ways for place in _features(ground, way)})
    rows = reader.rows(read_text("features_by_id"), ids=[ids[place] for place in places])
    labels = {row["id"]: row["label"] or "" for row in rows}
    query = {
        "source": str(source.place), "target": str(target.place), "paths": k, "distinct": most,
    }  # fmt: skip
    paths = tuple(_path(ground, way, ids, labels) for way in ways)
    return Paths(paths, reader.statements, query)


def _strongest(ground: Between, ranks: list[int], k: int, most: int) -> list[Way]:
    taken: dict[Way, None] = {}
    through = np.zeros(len(ground), dtype=np.int64)
    while len(taken) < k:
        free = through < most
        way = next((way for way in _in_order(ground, ranks, free) if way not in taken), None)
        if way is None:
            break
        taken[way] = None
        through[list(way)] += 1
    return list(taken)


def _in_order(ground: Between, ranks: list[int], free: Mask) -> Iterator[Way]:
    """Yield all paths of free interactions, the strongest first."""
    costs = -np.log(ground.share)
    rest = _least_costs(ground, costs, free)
    order = np.argsort(ground.source, kind="stable")
    order = order[free[order] & np.isfinite(rest[ground.target[order]])]
    first = np.searchsorted(ground.source[order], np.arange(len(rest) + 1))
    starts = np.flatnonzero(ground.starts & np.isfinite(rest)).tolist()
    heap: list[tuple[float, Way, Way, float, int]] = [
        (round(float(rest[place]), DECIMALS), (ranks[place],), (), 0.0, place) for place in starts
    ]
    heapq.heapify(heap)
    while heap:
        _, names, way, cost, place = heapq.heappop(heap)
        if ground.ends[place]:
            yield way
            continue
        for edge in order[first[place] : first[place + 1]].tolist():
            there, so_far = int(ground.target[edge]), cost + float(costs[edge])
            least = round(so_far + float(rest[there]), DECIMALS)
            heapq.heappush(heap, (least, (*names, ranks[there]), (*way, edge), so_far, there))


def _least_costs(ground: Between, costs: Costs, free: Mask) -> Costs:
    """Return the least cost from each feature to an end by free interactions, ∞ for none."""
    rest = np.where(ground.ends, 0.0, np.inf)
    for _, edges in reversed(ground.out_of):
        kept = edges[free[edges]]
        np.minimum.at(rest, ground.source[kept], costs[kept] + rest[ground.target[kept]])
    return rest


def _ranks(ids: list[str]) -> list[int]:
    """Return the place of each id when all are sorted."""
    ranks = {name: rank for rank, name in enumerate(sorted(ids))}
    return [ranks[name] for name in ids]


def _features(ground: Between, way: Way) -> list[int]:
    return [int(ground.source[way[0]]), *(int(ground.target[edge]) for edge in way)]


def _path(ground: Between, way: Way, ids: list[str], labels: dict[str, str]) -> Path:
    names = tuple(ids[place] for place in _features(ground, way))
    shares = tuple(float(ground.share[edge]) for edge in way)
    cost = float(-np.log(shares).sum())
    strength = float(np.prod(shares))
    return Path(strength, cost, names, shares, tuple(labels[name] for name in names))
