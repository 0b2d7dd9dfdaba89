"""The layers of an attribution graph, in an order in which every link leads to a later one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ingest.graphs.nodes import BadGraphError, Node

__all__ = ["order_layers"]

Ints = NDArray[np.int64]
MOST_EXTRA = 100  # layers for nodes that are out of order


def order_layers(
    nodes: Sequence[Node], source: Ints, target: Ints
) -> tuple[list[str], Ints, list[str]]:
    """Return the layers' names in order, the number of each node's layer, and notes.

    The layers are those of the file: embeddings, then by number, attention before the MLP, logits.
    A node that drives one of its own or an earlier layer stands in a layer of its own just before
    that, called OWN<EARLIER. Raises BadGraphError for links that go round in a circle.
    """
    base = dict(sorted({node.depth: node.layer for node in nodes}.items()))
    names = list(base.values())
    place = {name: number for number, name in enumerate(names)}
    layer = np.array([place[node.layer] for node in nodes], dtype=np.int64)
    moved = np.unique(source[layer[source] >= layer[target]])
    if not len(moved):
        return names, layer, []
    order = _Order(names)
    group = [node.layer for node in nodes]
    following: dict[int, list[int]] = defaultdict(list)
    for start, end in zip(source.tolist(), target.tolist(), strict=True):
        following[start].append(end)
    for number in _last_first(nodes, following):
        if ends := {group[end] for end in following[number]}:
            group[number] = order.before(group[number], ends)
    place = {name: number for number, name in enumerate(order.names)}
    used = sorted({place[name] for name in group})
    renumbered = {order.names[old]: new for new, old in enumerate(used)}
    note = (
        f"{sum(g != n.layer for g, n in zip(group, nodes, strict=True))} nodes drive one of their "
        "own or an earlier layer: they stand in a layer of their own before it"
    )
    numbers = np.array([renumbered[name] for name in group], dtype=np.int64)
    return list(renumbered), numbers, [note]


class _Order:
    """Names of layers in order, between which others are put."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)
        self._most = len(self.names) + MOST_EXTRA

    def before(self, name: str, others: Iterable[str]) -> str:
        """Return the name of a layer that is before all others: this one, or a new one."""
        first = min(self.names.index(other) for other in others)
        if self.names.index(name) < first:
            return name
        made = f"{name}<{self.names[first]}"
        if made not in self.names:
            if len(self.names) == self._most:
                raise BadGraphError("too many links lead back within a layer, or to an earlier one")
            self.names.insert(first, made)
        return made


def _last_first(nodes: Sequence[Node], following: Mapping[int, list[int]]) -> list[int]:
    """Return the nodes so that each comes after all that it drives."""
    drivers: dict[int, list[int]] = defaultdict(list)
    for start, ends in following.items():
        for end in ends:
            drivers[end].append(start)
    left = [len(following.get(number, ())) for number in range(len(nodes))]
    ready = [number for number, count in enumerate(left) if not count]
    for number in ready:  # it grows
        for driver in drivers[number]:
            left[driver] -= 1
            if not left[driver]:
                ready.append(driver)
    if len(ready) < len(nodes):
        lost = next(number for number, count in enumerate(left) if count)
        for _ in nodes:  # so many steps lead into the circle
            lost = next(end for end in following[lost] if left[end])
        raise BadGraphError(f"its links go round in a circle, in which is node {nodes[lost].id!r}")
    return ready
