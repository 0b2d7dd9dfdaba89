"""Attributions of an attention section in closed form (docs/method.md §5.4).

The tangent of n along feature j at position s is f̂' c_j P Γ + f̂'' n̂_s Γ, with c_j row j of C⁺,
f̂' = a_s f̂_sj and f̂'' = −f̂' (c_j · n̂_s)/d. So those of q, k and v are f̂' c_j W' + f̂'' m_s: no
projection of every feature at every position is needed. With U = A ∘ scale (q dkᵀ + dq kᵀ),

    do = U v − (U 1) o + A dv.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.kinds.attention.one_pass import KEY, QUERY, VALUE, AttentionPass

__all__ = ["output_tangents"]

QUERIES = 64  # in a block: later sources of a causal pattern are not looked at
ELEMENTS = 1 << 20  # of a temporary


def output_tangents(
    along_path: Sequence[tuple[float, AttentionPass]],
    inward: Float[Tensor, "3 d h e"],
    rows: Float[Tensor, "j d"],
    f_hat: Float[Tensor, "n s j"],
) -> Float[Tensor, "n t j h e"]:
    """Return the derivative of o along each feature j, placed at all positions at once.

    It is averaged over passes with their weights.
    """
    h, n, t, e = along_path[0][1].q.shape
    into = torch.einsum("jd,kdhe->khje", rows, inward)
    found = f_hat.new_zeros(n, t, len(rows), h, e)
    queries = min(QUERIES, t)
    each = queries * f_hat.shape[1] * len(rows)
    for weight, here in along_path:
        for samples, outputs, block in here.blocks(max(1, ELEMENTS // each), queries):
            at = slice(int(block.sources[0]), int(block.sources[-1]) + 1)
            along = weight * block.a * f_hat[samples, at]
            turn = None
            if block.norm is not None:
                turn = along * (block.norm.n_hat @ rows.T) / -rows.shape[1]
            for head in range(h):
                moved = _Moved(block, head, into[:, head], along, turn)
                found[samples, outputs, :, head] += moved.output()
    return found


class _Moved(NamedTuple):
    """What moves in one head, along features j."""

    here: AttentionPass
    head: int
    into: Float[Tensor, "3 j e"]
    along: Float[Tensor, "n s j"]
    turn: Float[Tensor, "n s j"] | None

    def part(self, which: int) -> Float[Tensor, "n s j e"]:
        """Return the tangents of what `which` names, before it turns with its position."""
        found = self.along[..., None] * self.into[which]
        if self.turn is None or self.here.norm is None:
            return found
        return found.addcmul_(self.turn[..., None], self.here.norm.m[which, self.head, :, :, None])

    def output(self) -> Float[Tensor, "n t j e"]:
        """Return do."""
        here, h = self.here, self.head
        q, k, v, pattern = here.q[h], here.k[h], here.v[h], here.pattern[h]
        (n, t, s), (j, e) = pattern.shape, self.into.shape[1:]
        dq = here.positions.rotate(self.part(QUERY)[:, here.own].transpose(1, 2), here.queries)
        dk = here.positions.rotate(self.part(KEY).transpose(1, 2), here.sources)  # n j s e
        scores = (q @ dk.flatten(1, 2).mT).view(n, t * j, s)
        scores.baddbmm_(dq.transpose(1, 2).reshape(n, t * j, e), k.mT)
        scores.view(n, t, j, s).mul_(here.scale * pattern[:, :, None])
        sums = (scores @ torch.cat([v, torch.ones_like(v[..., :1])], -1)).unflatten(1, (t, j))
        do: Tensor = (pattern @ self.part(VALUE).flatten(2)).unflatten(2, (j, e))
        do += sums[..., :-1]
        return do.addcmul_(sums[..., -1:], here.o[h, :, :, None], value=-1)
