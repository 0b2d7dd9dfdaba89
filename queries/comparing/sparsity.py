"""How few of many non-negative numbers hold most of their sum."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lib_graph.support.sparsity import Floats, count_carrying, effective, gini, hoyer, mean_known

__all__ = ["Sparsity", "section_sparsity", "sparsity"]


@dataclass(frozen=True)
class Sparsity:
    """Measures of sparsity (`lib_graph.support.sparsity`), null where the sum is 0.

    for_90, for_99: how many of the largest numbers make up 90 and 99 % of the sum.
    gini: the Gini index, 0 for equal numbers, 1 − 1/n where only one is not 0.
    hoyer: (√n − Σx / √Σx²) / (√n − 1), 0 for equal numbers, 1 where only one is not 0; null for
        a single number.
    effective: the effective number, exp of the entropy of the shares in the sum.
    sources: of a section, the effective number of sources of a target, the mean over its targets.
        It alone does not depend on the scales of features.
    """

    for_90: int | None
    for_99: int | None
    gini: float | None
    hoyer: float | None
    effective: float | None
    sources: float | None = None


def sparsity(positive: Floats, n: int) -> Sparsity:
    """Return how sparse n numbers are of which those that are not 0 are given.

    >>> sparsity(np.array([3.0, 1.0]), 4)
    Sparsity(for_90=2, for_99=2, gini=0.625, hoyer=0.73..., effective=1.75...)
    """
    if not positive.sum() > 0:
        return Sparsity(None, None, None, None, None)
    row = np.concatenate([positive, np.zeros(n - len(positive))])
    return Sparsity(
        for_90=int(count_carrying(row, 0.90)),
        for_99=int(count_carrying(row, 0.99)),
        gini=float(gini(row)),
        hoyer=None if n == 1 else float(hoyer(row)),
        effective=float(effective(row)),
    )


def section_sparsity(
    rows: pd.DataFrame, sources: pd.Index, targets: pd.Index
) -> tuple[int, Sparsity]:
    """Return the interactions among some features of two layers: their number, and how sparse.

    `rows` have source, target and strength; pairs that are in no row count as 0.
    """
    source, target = (
        index.get_indexer(pd.Index(rows[end]))
        for index, end in ((sources, "source"), (targets, "target"))
    )
    among = (source >= 0) & (target >= 0)
    strengths = np.zeros((len(sources), len(targets)))
    strengths[source[among], target[among]] = rows["strength"].to_numpy()[among]
    found = sparsity(strengths.ravel(), strengths.size)
    if found.effective is None:
        return int(among.sum()), found
    return int(among.sum()), replace(found, sources=float(mean_known(effective(strengths.T))))
