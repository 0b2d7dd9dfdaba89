"""The k strongest paths where interactions skip layers, exactly and without listing paths.

What lies between the ends is read, and walked from its first layer on. Ways that have come to
different layers wait there; their cost so far plus the least cost to the ends is what the best path
through each costs, so of all that wait only the k best can matter (`queries.circuits.paths` says
which of equals come first). No way that waits is the beginning of another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lib_graph.support.tables import Record
from queries.asking.ends import End
from queries.asking.reader import Reader
from queries.asking.statements import read_text
from queries.circuits.between import Between, Logs, feature_ids, read_between

__all__ = ["strongest_between"]

DECIMALS = 10  # to which costs agree that are equal
SLACK = 1e-9  # more than rounding, and than half of the last of these decimals


@dataclass(frozen=True)
class _Way:
    """A way from a start: its features, and the numbers of its interactions.

    `through` is the cost of the best path that begins with it.
    """

    through: float
    ids: tuple[str, ...]
    features: tuple[int, ...]
    interactions: tuple[int, ...]
    cost: float


def strongest_between(reader: Reader, source: End, target: End, k: int) -> list[Record]:
    """Return the k strongest paths: strength, cost, path, shares, labels."""
    ground = read_between(reader, source, target)
    ids = feature_ids(reader, ground)
    found = _walk(ground, ids, k)
    wanted = sorted({name for way in found for name in way.ids})
    rows = reader.rows(read_text("features_by_id"), ids=wanted) if wanted else []
    labels = {row["id"]: row["label"] for row in rows}
    return [
        {
            "strength": float(np.prod(ground.share[list(way.interactions)])),
            "cost": way.cost,
            "path": list(way.ids),
            "shares": ground.share[list(way.interactions)].tolist(),
            "labels": [labels[name] for name in way.ids],
        }
        for way in found
    ]


def _walk(ground: Between, ids: list[str], k: int) -> list[_Way]:
    cost = 0.0 - np.log(ground.share)
    rest = _least_costs(ground, cost)
    starts = np.flatnonzero(ground.starts).tolist()
    waiting = _best(
        [_Way(round(float(rest[n]), DECIMALS), (ids[n],), (n,), (), 0.0) for n in starts], k
    )
    following = {
        feature: edges[ground.source[edges] == feature]
        for here, edges in ground.out_of
        for feature in range(here.start, here.stop)
    }
    for here, _ in ground.out_of:
        at = [way for way in waiting if here.start <= way.features[-1] < here.stop]
        if not at:
            continue
        bound = np.inf if len(waiting) < k else waiting[-1].through * (1 + SLACK) + SLACK
        waiting = [way for way in waiting if not here.start <= way.features[-1] < here.stop]
        for way in at:
            edges = following[way.features[-1]]
            through = way.cost + cost[edges] + rest[ground.target[edges]]
            for number in np.flatnonzero(through <= bound).tolist():
                edge = int(edges[number])
                end = int(ground.target[edge])
                waiting.append(
                    _Way(
                        round(float(through[number]), DECIMALS),
                        (*way.ids, ids[end]),
                        (*way.features, end),
                        (*way.interactions, edge),
                        way.cost + float(cost[edge]),
                    )
                )
        waiting = _best(waiting, k)
    return waiting


def _least_costs(ground: Between, cost: Logs) -> Logs:
    """Return the least cost from each feature to the ends."""
    rest = np.where(ground.ends, 0.0, np.inf)
    for _, edges in reversed(ground.out_of):
        np.minimum.at(rest, ground.source[edges], cost[edges] + rest[ground.target[edges]])
    return rest


def _best(ways: list[_Way], k: int) -> list[_Way]:
    return sorted(ways, key=lambda way: (way.through, way.ids))[:k]
