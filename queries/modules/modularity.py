"""Modules of a weighted undirected graph given as arrays: Leiden, Louvain, modularity.

Nothing here knows what the nodes stand for.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from lib_graph.support import defaults
from queries.modules.moves import settled
from queries.modules.weighted import Floats, Ints, Neighbours, WeightedGraph

__all__ = [
    "METHODS",
    "Method",
    "contributions",
    "leiden",
    "louvain",
    "modularity",
    "number_by_size",
]

ROUND_EDGES = 4_000_000  # that all rounds of Leiden together may pass


def modularity(
    edges: WeightedGraph, community: Ints, resolution: float = defaults.RESOLUTION
) -> float:
    """Return Q = Σ_c [L_c/m − γ (d_c/2m)²], 0 for a graph without edges: `contributions` summed.

    >>> two_pairs = WeightedGraph(4, np.array([0, 2]), np.array([1, 3]), np.ones(2))
    >>> modularity(two_pairs, np.array([0, 0, 1, 1]))
    0.5
    """
    return float(contributions(edges, community, resolution).sum())


def contributions(
    edges: WeightedGraph, community: Ints, resolution: float = defaults.RESOLUTION
) -> Floats:
    """Return what each community adds to Q: L_c/m − γ (d_c/2m)², 0 in a graph without edges.

    m is the sum of all weights, L_c that inside community c, d_c the sum of its nodes' degrees.

    >>> two_pairs = WeightedGraph(4, np.array([0, 2]), np.array([1, 3]), np.array([1.0, 3.0]))
    >>> contributions(two_pairs, np.array([0, 0, 1, 1])).tolist()
    [0.1875, 0.1875]
    """
    count, total = int(community.max(initial=-1)) + 1, edges.weight.sum()
    if total == 0:
        return np.zeros(count)
    source, target = community[edges.source], community[edges.target]
    ends = np.concatenate([source, target])
    degree = np.bincount(ends, np.tile(edges.weight, 2), minlength=count)
    within = source == target
    inside = np.bincount(source[within], edges.weight[within], minlength=count)
    found: Floats = inside / total - resolution * (degree / (2 * total)) ** 2
    return found


def leiden(edges: WeightedGraph, *, resolution: float, seed: int) -> Ints:
    """Return the community of each node by Leiden (graspologic-native), then by single moves.

    Ten rounds of Leiden, each from what the one before found, fewer where there are more than
    ROUND_EDGES / 10 edges, but two at least (docs/method.md §6). After them nodes move alone until
    none that did would raise Q. A node without edges is a community alone.
    """
    from graspologic_native import leiden_csr

    if not len(edges.weight):
        return np.arange(edges.nodes)
    graph = Neighbours.of(edges)
    _, community = leiden_csr(
        graph.starts.astype(np.int64),
        graph.targets.astype(np.int32),
        # its randomness is measured in weight: without this the scale of the weights would matter
        graph.weights / edges.weight.mean(),
        edges.nodes,
        resolution=resolution,
        seed=seed,
        iterations=min(max(ROUND_EDGES // len(edges.weight), 2), 10),
    )
    found = np.array([community[node] for node in range(edges.nodes)])
    return _lone_nodes_apart(edges, settled(graph, found, resolution))


def louvain(edges: WeightedGraph, *, resolution: float, seed: int) -> Ints:
    """Return the community of each node by Louvain (python-louvain).

    It is called again on the graph of the communities that it found, until they stay as they are:
    its own rule for when to stop is right only at resolution 1.
    """
    import community as python_louvain
    import networkx as nx

    graph: Any = nx.Graph()
    graph.add_nodes_from(range(edges.nodes))
    graph.add_weighted_edges_from(
        zip(edges.source.tolist(), edges.target.tolist(), edges.weight.tolist(), strict=True)
    )
    found = np.arange(edges.nodes)
    while True:
        merged = python_louvain.best_partition(graph, resolution=resolution, random_state=seed)
        if len(set(merged.values())) == graph.number_of_nodes():
            return found
        found = np.array([merged[i] for i in found.tolist()])
        graph = python_louvain.induced_graph(merged, graph)


Method = Literal["leiden", "louvain"]
METHODS = {"leiden": leiden, "louvain": louvain}
"""How modules can be found, by name"""


def number_by_size(community: Ints) -> Ints:
    """Return the communities numbered 0, 1, … from the largest, ties by their first node.

    >>> number_by_size(np.array([7, 3, 3, 5]))
    array([1, 0, 0, 2])
    """
    _, first, inverse, size = np.unique(
        community, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(size), dtype=np.int64)
    rank[np.lexsort((first, -size))] = np.arange(len(size))
    return rank[inverse]


def _lone_nodes_apart(edges: WeightedGraph, community: Ints) -> Ints:
    lone = np.ones(edges.nodes, dtype=bool)
    lone[edges.source] = lone[edges.target] = False
    separate = community.copy()
    separate[lone] = edges.nodes + np.flatnonzero(lone)
    return separate
