"""The k strongest paths by Yen's algorithm, in Graph Data Science on a Neo4j server.

The paths and their order are those of `queries.circuits.paths`, but for one thing: of several that
are equally strong and of which only some are among the first k, Yen takes any.
"""

from __future__ import annotations

import math
from itertools import pairwise

from lib_graph.support import defaults
from queries.asking.ends import End
from queries.asking.projecting import WIDTH, projected
from queries.asking.reader import Reader
from queries.asking.statements import read_text
from queries.circuits.paths import Path, Paths, check_ends, is_backwards

__all__ = ["paths_of_gds"]

ENDS = 2  # the numbers 0 and 1 stand before all starts and after all ends


def paths_of_gds(reader: Reader, source: End, target: End, *, k: int, layers: int) -> Paths:
    """Return the k strongest paths from `source` to `target` in a run of so many layers.

    They are found on a server that has Graph Data Science. Raises UsageError if k < 1 or the ends
    are not in the order of the layers.
    """
    check_ends(source, target, k)
    walk = reader.again()
    with projected(walk.again()) as name:
        rows = walk.rows(
            read_text("gds/paths"),
            graph=name, k=k, width=WIDTH, first=source.layer, last=target.layer,
            starts=_places(source), ends=_places(target),
        )  # fmt: skip
    found = [(row["cost"], _ids(reader, row["places"])) for row in rows]
    step = -1 if is_backwards(reader, source, target, layers) else 1
    found.sort(key=lambda path: (round(path[0], defaults.COST_DECIMALS), path[1][::step]))
    pairs = sorted({pair for _, ids in found for pair in pairwise(ids)})
    between = reader.rows(read_text("interactions_between"), pairs=[list(pair) for pair in pairs])
    share = {(row["source"], row["target"]): row["share"] for row in between}
    features = reader.rows(read_text("features_by_id"), ids=sorted({x for p in pairs for x in p}))
    label = {row["id"]: row["label"] or "" for row in features}
    paths = []
    for cost, ids in found:
        shares = tuple(share[pair] for pair in pairwise(ids))
        paths.append(Path(math.prod(shares), cost, ids, shares, tuple(label[x] for x in ids)))
    query = {"source": str(source.place), "target": str(target.place), "paths": k}
    return Paths(tuple(paths), (*reader.statements, *walk.statements), query)


def _places(end: End) -> list[int]:
    return [end.layer * WIDTH + index + ENDS for index in sorted(end.indices)]


def _ids(reader: Reader, places: list[int]) -> tuple[str, ...]:
    found = (divmod(place - ENDS, WIDTH) for place in places)
    return tuple(f"{reader.run}/{reader.layers[layer].name}/{index}" for layer, index in found)
