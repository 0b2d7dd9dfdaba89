"""Attributions of an attention section in closed form (docs/method.md §5.4).

The tangent of n along feature j at position s is f̂' c_j P Γ + f̂'' n̂_s Γ, with c_j row j of C⁺,
f̂' = a_s f̂_sj and f̂'' = −f̂' (c_j · n̂_s)/d. So those of q, k and v are f̂' c_j W' + f̂'' m_s: no
projection of every feature at every position is needed. With U = A ∘ scale (q dkᵀ + dq kᵀ),

    do = U v − (U 1) o + A dv.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.kinds.attention.one_pass import KEY, QUERY, VALUE, AttentionPass

__all__ = ["output_tangents"]

QUERIES = 64  # in a block: later sources of a causal pattern are not looked at
ELEMENTS = 1 << 20  # of a temporary


def output_tangents(
    here: AttentionPass,
    inward: Float[Tensor, "3 d h e"],
    rows: Float[Tensor, "j d"],
    f_hat: Float[Tensor, "n s j"],
) -> Float[Tensor, "n t j h e"]:
    """Return the derivative of o along each feature j, placed at all positions at once."""
    h, n, t, e = here.q.shape
    into = torch.einsum("jd,kdhe->khje", rows, inward)
    found = f_hat.new_empty(n, t, len(rows), h, e)
    queries = min(QUERIES, t)
    each = queries * len(here.sources) * len(rows)
    for samples, outputs, block in here.blocks(max(1, ELEMENTS // each), queries):
        at = slice(int(block.sources[0]), int(block.sources[-1]) + 1)
        along = f_hat[samples, at] * block.a
        turn = None
        if block.norm is not None:
            turn = along * (block.norm.n_hat @ rows.T) / -rows.shape[1]
        for head in range(h):
            found[samples, outputs, :, head] = _of_head(block, head, into[:, head], along, turn)
    return found


def _of_head(
    here: AttentionPass,
    h: int,
    into: Float[Tensor, "3 j e"],
    along: Float[Tensor, "n s j"],
    turn: Float[Tensor, "n s j"] | None,
) -> Float[Tensor, "n t j e"]:
    def moved(part: int, at: slice | Tensor = slice(None)) -> Float[Tensor, "n s j e"]:
        tangent = along[:, at, :, None] * into[part]
        if turn is not None and here.norm is not None:
            tangent = tangent + turn[:, at, :, None] * here.norm.m[part, h, :, at, None]
        return tangent

    n, t, s = here.pattern.shape[1:]
    j, e = into.shape[1:]
    q, k, v, o, pattern = here.q[h], here.k[h], here.v[h], here.o[h], here.pattern[h]
    dq = here.positions.rotate(moved(QUERY, here.own).transpose(1, 2), here.queries).transpose(1, 2)
    dk = here.positions.rotate(moved(KEY).permute(0, 2, 1, 3), here.sources)  # n j s e
    scores = (q @ dk.flatten(1, 2).mT).view(n, t * j, s)
    scores = scores.baddbmm_(dq.reshape(n, t * j, e), k.mT)
    scores.view(n, t, j, s).mul_(here.scale * pattern[:, :, None])
    sums = (scores @ torch.cat([v, torch.ones_like(v[..., :1])], -1)).unflatten(1, (t, j))
    do: Tensor = (pattern @ moved(VALUE).flatten(2)).unflatten(2, (j, e))
    do += sums[..., :-1]
    return do.addcmul_(sums[..., -1:], o[:, :, None], value=-1)
