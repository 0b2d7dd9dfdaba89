"""Which nodes the ends of links are: by id, and where two nodes have one id, by what can be."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ingest.graphs.nodes import BadGraphError, Node

__all__ = ["resolve_ends"]

Ints = NDArray[np.int64]
NO_INPUTS = ("error", "embedding", "bias")


def resolve_ends(
    nodes: Sequence[Node], ids: Mapping[str, int], source: ArrayLike, target: ArrayLike
) -> tuple[Ints, Ints, list[str]]:
    """Return the numbers of the nodes at both ends of each link, and what had to be decided.

    `source` and `target` are numbers of `ids`. An error node of layer L has the id of the feature L
    of layer 0: nodes are told apart by id and feature_type, and a link goes from and to those that
    it can. Where both can be, the first of two equal links is that of the first node in the file.

    Raises BadGraphError for a node that is there twice, a link to a node that is not there, and one
    that is there twice.
    """
    where = defaultdict(list)
    for number, node in enumerate(nodes):
        where[node.id].append(number)
    double = [name for name, found in where.items() if len(found) > 1]
    for name in double:
        kinds = Counter(nodes[number].kind for number in where[name])
        if max(kinds.values()) > 1:
            raise BadGraphError(f"node {name!r} is there {max(kinds.values())} times")
    first = np.full(len(ids), -1, dtype=np.int64)
    for name, code in ids.items():
        if name in where:
            first[code] = where[name][0]
    starts, ends = (np.asarray(side, dtype=np.int64) for side in (source, target))
    names = {code: name for name, code in ids.items()}
    for codes, end in ((starts, "source"), (ends, "target")):
        if len(lost := codes[first[codes] < 0] if len(codes) else codes):
            raise BadGraphError(
                f"{len(lost)} of {len(codes)} links have a {end} that is no node, such as "
                f"{names[int(lost[0])]!r}"
            )
    found = first[starts], first[ends]
    notes = []
    if double:
        shared = np.zeros(len(ids), dtype=bool)
        shared[[ids[name] for name in double if name in ids]] = True
        rows = np.flatnonzero(shared[starts] | shared[ends])
        unclear = _decide(nodes, where, names, rows, (starts, ends), found)
        notes.append(
            f"{len(double)} ids are those of two nodes each, such as {double[0]!r}: told apart by "
            f"feature_type, and {unclear} links could be of either"
        )
    _check(nodes, *found)
    return (*found, notes)


def _decide(
    nodes: Sequence[Node],
    where: Mapping[str, list[int]],
    names: Mapping[int, str],
    rows: Ints,
    codes: tuple[Ints, Ints],
    found: tuple[Ints, Ints],
) -> int:
    """Put the right nodes into `found`; return how many links could be of several."""
    unclear = 0
    seen: Counter[tuple[int, int]] = Counter()
    for row in rows.tolist():
        pair = int(codes[0][row]), int(codes[1][row])
        can = [
            (start, end)
            for end in where[names[pair[1]]]
            for start in where[names[pair[0]]]
            if nodes[end].role not in NO_INPUTS and nodes[start].depth < nodes[end].depth
            and nodes[start].position <= nodes[end].position
        ]  # fmt: skip
        if can:
            unclear += len(can) > 1
            found[0][row], found[1][row] = can[min(seen[pair], len(can) - 1)]
        seen[pair] += 1
    return unclear


def _check(nodes: Sequence[Node], source: Ints, target: Ints) -> None:
    pairs = source * len(nodes) + target
    unique, count = np.unique(pairs, return_counts=True)
    if (count > 1).any():
        start, end = divmod(int(unique[count > 1][0]), len(nodes))
        raise BadGraphError(f"the link {nodes[start].id} > {nodes[end].id} is there twice")
