"""The strongest paths of which few take the same interaction.

All paths in order (`queries.circuits.searching`): each is taken unless an interaction on it is on
as many of the paths taken before as may be. The next one is always the strongest that is not taken
yet among the paths whose interactions are all free.
"""

from __future__ import annotations

import numpy as np

from lib_graph.errors import UsageError
from queries.asking.ends import End
from queries.asking.reader import Reader
from queries.circuits.paths import Paths, check_ends, path_of
from queries.circuits.searching import Ground, Way, read_ground

__all__ = ["distinct_paths"]


def distinct_paths(reader: Reader, source: End, target: End, *, k: int, most: int) -> Paths:
    """Return the k strongest paths of which at most `most` take the same interaction, exactly.

    Fewer come back where there are fewer. Raises UsageError if k < 1 or most < 1, or if the ends
    are not in the order of the layers.
    """
    check_ends(source, target, k)
    if most < 1:
        raise UsageError(f"{most} paths through an interaction are none. Allow at least 1.")
    ground = read_ground(reader, source, target)
    rows = ground.records(reader, _strongest(ground, k, most))
    query = {
        "source": str(source.place), "target": str(target.place), "paths": k, "distinct": most,
    }  # fmt: skip
    return Paths(tuple(map(path_of, rows)), reader.statements, query)


def _strongest(ground: Ground, k: int, most: int) -> list[Way]:
    taken: dict[Way, None] = {}
    through = np.zeros(len(ground.between), dtype=np.int64)
    while True:
        for way in ground.in_order(through < most):
            if way in taken:
                continue
            taken[way] = None
            through[list(way)] += 1
            if len(taken) == k:
                return list(taken)
            if (through[list(way)] == most).any():
                break  # fewer interactions are free: those paths are looked through again
        else:
            return list(taken)
