"""A graph in layers without modules: the same sections, shuffled.

Within each section every feature keeps its number of edges and, nearly, the sum of their weights,
and the weights are the same ones; who is tied to whom is left to chance. The modularity found there
is what a graph without modules would get.
"""

from __future__ import annotations

import numpy as np

from queries.modules.weighted import Floats, Ints, WeightedGraph

__all__ = ["shuffled"]

SWAPS = 20  # rounds; in each, every edge is offered one swap
DEALS = 50  # rounds in which the weights are dealt out


def shuffled(edges: WeightedGraph, section: Ints, generator: np.random.Generator) -> WeightedGraph:
    """Return a shuffled graph; `section[n]` says which section edge n belongs to.

    In each section pairs of edges (a, b), (c, d) become (a, d), (c, b) where neither is there yet.
    Then the weights are dealt out anew as Rubinov and Sporns do (NeuroImage 56, 2011): the edges
    are ordered by the product of what their ends still lack of their sums, the weights by size, and
    edges picked at random get the weight of the same rank.
    """
    target, weight = edges.target.copy(), edges.weight.copy()
    for each in np.unique(section):
        rows = np.flatnonzero(section == each)
        _, s = np.unique(edges.source[rows], return_inverse=True)
        names, t = np.unique(edges.target[rows], return_inverse=True)
        out, into = _sums(s, weight[rows]), _sums(t, weight[rows])
        t = _swapped(s, t, generator)
        target[rows] = names[t]
        weight[rows] = _dealt(s, t, weight[rows], out, into, generator)
    return WeightedGraph(edges.nodes, edges.source, target, weight)


def _sums(ends: Ints, weight: Floats, least: int = 0) -> Floats:
    """Return the sum of the weights of each end's edges, for `least` ends or more."""
    return np.bincount(ends, weight, minlength=least).astype(np.float64)


def _swapped(s: Ints, t: Ints, generator: np.random.Generator) -> Ints:
    """Return other targets for the edges (s, t): as many for each source, as often each target."""
    t = t.copy()
    width = int(t.max()) + 1
    for _ in range(SWAPS):
        order = generator.permutation(len(s))
        one, two = order[: len(s) // 2], order[len(s) // 2 : 2 * (len(s) // 2)]
        wanted = np.stack([s[one] * width + t[two], s[two] * width + t[one]])
        _, place, count = np.unique(wanted, return_inverse=True, return_counts=True)
        free = (count[place].reshape(wanted.shape) == 1) & ~np.isin(wanted, s * width + t)
        swap = free.all(axis=0)
        t[one[swap]], t[two[swap]] = t[two[swap]], t[one[swap]]
    return t


def _dealt(
    s: Ints, t: Ints, weights: Floats, out: Floats, into: Floats, generator: np.random.Generator
) -> Floats:
    """Return the same weights for the edges (s, t), so that their sums are nearly `out`, `into`."""
    dealt = np.empty(len(s))
    left = np.sort(weights)
    edges = np.arange(len(s))
    for deals in range(DEALS, 0, -1):
        edges = edges[np.argsort(out[s[edges]] * into[t[edges]], kind="stable")]
        ranks = generator.permutation(len(edges))[: -(-len(edges) // deals)]
        dealt[edges[ranks]] = left[ranks]
        given = edges[ranks]
        out = np.maximum(0.0, out - _sums(s[given], dealt[given], len(out)))
        into = np.maximum(0.0, into - _sums(t[given], dealt[given], len(into)))
        edges, left = np.delete(edges, ranks), np.delete(left, ranks)
    return dealt
