"""Two ways of dividing the same things into groups, compared."""

from __future__ import annotations

import numpy as np

from queries.modules.weighted import Floats, Ints

__all__ = ["adjusted_rand_index", "purity", "shuffled_agreement"]


def adjusted_rand_index(one: Ints, other: Ints) -> float:
    """Return how well two partitions agree: 1 for equal ones, 0 on average for random ones.

    It is (I − Ī) / (M − Ī) with I the pairs that are together in both, Ī its mean over partitions
    with the same sizes, and M the mean of the pairs together in either; 1 where M = Ī.

    >>> adjusted_rand_index(np.array([0, 0, 1, 1]), np.array([5, 5, 5, 7]))
    0.0
    """
    _, first = np.unique(one, return_inverse=True)
    _, second = np.unique(other, return_inverse=True)
    if not len(first):
        return 1.0
    both = _pairs(np.unique(first * len(first) + second, return_counts=True)[1])
    a, b = _pairs(np.bincount(first)), _pairs(np.bincount(second))
    chance = a * b / max(_pairs(np.array([len(first)])), 1.0)
    most = (a + b) / 2
    return 1.0 if most == chance else (both - chance) / (most - chance)


def shuffled_agreement(one: Ints, other: Ints, group: Ints, times: int, seed: int) -> Floats:
    """Return the adjusted Rand index of `one` and `other`, dealt out anew within each group.

    It is what two partitions agree by where both follow the groups, and otherwise chance.

    >>> groups = np.array([0, 0, 1, 1])
    >>> shuffled_agreement(groups, groups, groups, 2, 0)
    array([1., 1.])
    """
    order = np.argsort(group, kind="stable")
    first, second = one[order], other[order]
    parts = np.split(second, np.unique(group[order], return_index=True)[1][1:])
    generator = np.random.default_rng(seed)
    return np.array(
        [
            adjusted_rand_index(first, np.concatenate([generator.permutation(x) for x in parts]))
            for _ in range(times)
        ]
    )


def purity(community: Ints, label: Ints) -> float:
    """Return the share of things whose label is the most frequent one of their community.

    >>> purity(np.array([0, 0, 0, 1]), np.array([2, 2, 3, 3]))
    0.75
    """
    _, first = np.unique(community, return_inverse=True)
    _, second = np.unique(label, return_inverse=True)
    table = np.zeros((first.max() + 1, second.max() + 1), dtype=np.int64)
    np.add.at(table, (first, second), 1)
    return float(table.max(axis=1).sum() / len(first))


def _pairs(counts: Ints) -> float:
    """Return how many pairs there are within groups of these sizes."""
    sizes: Floats = counts.astype(np.float64)
    return float((sizes * (sizes - 1) / 2).sum())
