"""Single moves between communities, made until none raises modularity any more."""

from __future__ import annotations

from collections import deque

import numpy as np

from queries.modules.weighted import Ints, Neighbours

__all__ = ["settled"]

LEAST_GAIN = 1e-12  # of a node's degree: what is less is rounding


def settled(graph: Neighbours, community: Ints, resolution: float) -> Ints:
    """Return communities in which no node that moved alone, to another or to none, would raise Q.

    Nodes go one by one to where they raise Q most, and their neighbours are asked again.
    """
    found = _Communities(graph, community, resolution)
    queue = deque(range(len(community)))
    waiting = np.ones(len(community), dtype=bool)
    while queue:
        node = queue.popleft()
        waiting[node] = False
        to = found.best(node)
        if to == found.community[node]:
            continue
        found.move(node, to)
        targets, _ = graph.near(node)
        again = targets[(found.community[targets] != to) & ~waiting[targets]]
        waiting[again] = True
        queue.extend(again.tolist())
    return found.community


class _Communities:
    """Communities that change: of each node, and how many nodes of which degrees each has."""

    def __init__(self, graph: Neighbours, community: Ints, resolution: float) -> None:
        _, self.community = np.unique(community, return_inverse=True)
        nodes = len(community)
        self._graph = graph
        self._pull = resolution / max(float(graph.degrees.sum()), np.finfo(float).tiny)
        self._total = np.bincount(self.community, graph.degrees, minlength=nodes)
        self._members = np.bincount(self.community, minlength=nodes)
        self._empty = np.flatnonzero(self._members == 0).tolist()

    def best(self, node: int) -> int:
        """Return the community where a node raises Q most: its own, unless another is better.

        In community c, node i adds Σ_(j in c) w_ij − γ d_i d_c / 2m to m Q, d_c without i.
        """
        own, degree = int(self.community[node]), float(self._graph.degrees[node])
        targets, weights = self._graph.near(node)
        near, place = np.unique(np.append(self.community[targets], own), return_inverse=True)
        toward = np.bincount(place, np.append(weights, 0.0))
        total = self._total[near] - np.where(near == own, degree, 0.0)
        gain = toward - self._pull * degree * total
        most, to = float(gain.max()), int(near[gain.argmax()])
        if most < 0 and self._members[own] > 1:
            most, to = 0.0, self._empty[-1]
        return to if most > float(gain[place[-1]]) + LEAST_GAIN * degree else own

    def move(self, node: int, to: int) -> None:
        """Move a node to another community, which may be empty."""
        own = int(self.community[node])
        self.community[node] = to
        for community, one in ((own, -1), (to, 1)):
            self._total[community] += one * self._graph.degrees[node]
            self._members[community] += one
        if self._members[to] == 1:
            self._empty.remove(to)
        if not self._members[own]:
            self._empty.append(own)
