"""Jacobians of hidden units of which few switch from one row to another (docs/method.md §5.3).

Of ReLUs the slopes m_n at a row of the data are 0 or 1, and many rows have one near them that
differs in few units D. From its Jacobian between features, that of the row takes D products each:

    J_n = J_p + Σ_{k ∈ D} (m_nk − m_pk) u_kᵀ v_k
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Switching"]

AT_MOST = 0.4  # of the units switch from a row to its neighbour, or one product of all is faster
SMALLEST = 1 << 19  # products of a row's Jacobian that are spared: below, looking up costs more


@dataclass(frozen=True)
class Switching:
    """Rows in an order, the first from scratch, each other one from a `parent` before it.

    `units` says which slopes differ from the parent's, `steps` by how much.
    """

    first: Float[Tensor, " h"]
    rows: list[int]
    parents: list[int]
    units: list[Tensor]
    steps: list[Tensor]

    @classmethod
    @torch.no_grad()
    def of(cls, slopes: Float[Tensor, "rows h"], pairs: int) -> Switching | None:
        """Return the order in which fewest units switch, or None where it would not pay.

        So it is where too many do, or too few products are spared for so many pairs of features.
        It is a minimum spanning tree over the squared distances, by Prim's algorithm.

        >>> slopes = torch.tensor([[1.0, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0]])
        >>> found = Switching.of(slopes, pairs=SMALLEST)
        >>> found.rows, found.parents, [units.tolist() for units in found.units]
        ([0, 2, 1], [0, 2], [[0, 1], [2]])
        """
        if (1 - AT_MOST) * slopes.shape[1] * pairs < SMALLEST:
            return None
        if not (slopes[1:] == slopes[:-1]).any():  # of a single row, or all units change
            return None
        rows, parents = _spanning_tree(slopes)
        steps = slopes[rows[1:]] - slopes[parents]
        changed = steps != 0
        if changed.double().mean() > AT_MOST:
            return None
        counts = changed.sum(1).tolist()
        units = changed.nonzero()[:, 1].split(counts)
        return cls(slopes[0], rows, parents, [*units], [*steps[changed].split(counts)])

    @torch.no_grad()
    def jacobians(
        self, base: Float[Tensor, "j r"], u: Float[Tensor, "h j"], v: Float[Tensor, "h r"]
    ) -> Float[Tensor, "rows j r"]:
        """Return base + Σ_k m_nk u_kᵀ v_k for every row n."""
        found = base.new_empty(len(self.rows), *base.shape)
        torch.addmm(base, (self.first[:, None] * u).T, v, out=found[0])
        steps = zip(self.rows[1:], self.parents, self.units, self.steps, strict=True)
        for row, parent, units, step in steps:
            moved = u.index_select(0, units).mul_(step[:, None])
            torch.addmm(found[parent], moved.T, v.index_select(0, units), out=found[row])
        return found


def _spanning_tree(slopes: Float[Tensor, "rows h"]) -> tuple[list[int], list[int]]:
    """Return the rows as a tree reaches them, from the first, and the parents of all others."""
    product = slopes @ slopes.T
    square = product.diagonal()
    apart = (square[:, None] + square - 2 * product).numpy()
    nearest, parent = apart[0].copy(), np.zeros(len(apart), dtype=int)
    nearest[0] = np.inf
    rows, parents, reached = [0], [], np.zeros(len(apart), dtype=bool)
    reached[0] = True
    for _ in range(len(apart) - 1):
        row = int(nearest.argmin())
        rows.append(row)
        parents.append(int(parent[row]))
        reached[row] = True
        nearer = (apart[row] < nearest) & ~reached
        nearest[nearer], parent[nearer] = apart[row, nearer], row
        nearest[row] = np.inf
    return rows, parents
