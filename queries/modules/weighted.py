"""Weighted undirected graphs as arrays: a row per edge, or each node's neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Floats", "Ints", "Neighbours", "WeightedGraph"]

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class WeightedGraph:
    """Undirected edges between the nodes 0 … nodes-1, each pair once, no loops, weights > 0."""

    nodes: int
    source: Ints
    target: Ints
    weight: Floats


@dataclass(frozen=True, eq=False)
class Neighbours:
    """An undirected graph by node: node i has targets[starts[i]:starts[i + 1]], by number."""

    starts: Ints
    targets: Ints
    weights: Floats
    degrees: Floats

    @classmethod
    def of(cls, edges: WeightedGraph) -> Neighbours:
        """Return the graph with each edge at both of its ends."""
        source = np.concatenate([edges.source, edges.target])
        target = np.concatenate([edges.target, edges.source])
        order = np.argsort(source * edges.nodes + target, kind="stable")
        weights = np.tile(edges.weight, 2)
        return cls(
            np.searchsorted(source[order], np.arange(edges.nodes + 1)),
            target[order],
            weights[order],
            np.bincount(source, weights, minlength=edges.nodes).astype(np.float64),
        )

    def near(self, node: int) -> tuple[Ints, Floats]:
        """Return the neighbours of a node, and the weights of the edges to them."""
        part = slice(self.starts[node], self.starts[node + 1])
        return self.targets[part], self.weights[part]
