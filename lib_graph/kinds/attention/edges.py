"""Attributions of an attention section in closed form (docs/method.md §5.4).

The tangent of n along feature j at position s is f̂' c_j P Γ + f̂'' n̂_s Γ, with c_j row j of C⁺,
f̂' = a_s f̂_sj and f̂'' = −f̂' (c_j · n̂_s)/d. So those of q, k and v are f̂' c_j W' + f̂'' m_s: no
projection of every feature at every position is needed. With U = A ∘ scale (q dkᵀ + dq kᵀ),

    do = U v − (U 1) o + A dv.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.kinds.attention.one_pass import (
    KEY,
    QUERIES,
    QUERIES_ON_CARD,
    QUERY,
    VALUE,
    AttentionPass,
)
from lib_graph.kinds.attention.positions import Moving
from lib_graph.kinds.attention.spans import spans
from lib_graph.support.devices import on_card, temporary

__all__ = ["moved_scores", "movement", "output_tangents"]

ELEMENTS = 1 << 20  # of a temporary


def output_tangents(
    along_path: Sequence[tuple[float, AttentionPass]],
    inward: Float[Tensor, "3 d h e"],
    rows: Float[Tensor, "j d"],
    f_hat: Float[Tensor, "n s j"],
) -> Float[Tensor, "j n t h e"]:
    """Return the derivative of o along each feature j, placed at all positions at once.

    It is averaged over passes with their weights.
    """
    h, n, t, e = along_path[0][1].q.shape
    into = torch.einsum("jd,kdhe->khje", rows, inward)
    found = f_hat.new_zeros(len(rows), n, t, h, e)
    queries = min(QUERIES_ON_CARD if on_card(f_hat.device) else QUERIES, t)
    each = max(1, temporary(f_hat, ELEMENTS) // (queries * f_hat.shape[1] * len(rows)))
    for weight, here in along_path:
        for samples, outputs, block in here.blocks(
            max(1, temporary(f_hat, ELEMENTS) // each), queries
        ):
            at = slice(block.sources.start, block.sources.stop)
            along, swing = movement(block, rows, weight * f_hat[samples, at])
            for heads in spans(0, h, block.pattern[0].numel() * len(rows), f_hat):
                moved = _moved(block, heads, into[:, heads], along, swing)
                found[:, samples, outputs, heads] += moved.permute(2, 1, 3, 0, 4)
    return found


def _moved(
    here: AttentionPass,
    heads: slice,
    into: Float[Tensor, "3 h j e"],
    along: Float[Tensor, "n s j"],
    swing: Float[Tensor, "n s j"] | None,
) -> Float[Tensor, "h n j t e"]:
    """Return do of some heads."""
    v, pattern = here.v[heads], here.pattern[heads]
    U = moved_scores(here, heads, into, along, swing)
    j, t = U.shape[3:]
    ones = torch.ones_like(v[..., :1])
    sums = torch.cat([v, ones], -1).mT @ U.flatten(3)  # h n (e + 1) (j t)
    sums = sums.mT.unflatten(2, (j, t))
    do: Tensor = (pattern @ along).mT[..., None] * into[VALUE][:, None, :, None]
    do += sums[..., :-1]
    do.addcmul_(sums[..., -1:], here.o[heads, :, None], value=-1)
    if swing is not None and here.norm is not None:
        swung = swing[..., None] * here.norm.m[VALUE, heads, :, :, None]
        do += (pattern @ swung.flatten(3)).unflatten(3, (j, -1)).transpose(2, 3)
    return do


def movement(
    here: AttentionPass, rows: Float[Tensor, "j d"], f_hat: Float[Tensor, "n s j"]
) -> tuple[Float[Tensor, "n s j"], Float[Tensor, "n s j"] | None]:
    """Return f̂' and, with a norm in front, f̂''."""
    along = here.a * f_hat
    if here.norm is None:
        return along, None
    return along, along * (here.norm.n_hat @ rows.T) / -rows.shape[1]


def moved_scores(
    here: AttentionPass,
    heads: slice,
    into: Float[Tensor, "3 h j e"],
    along: Float[Tensor, "n s j"],
    swing: Float[Tensor, "n s j"] | None,
) -> Float[Tensor, "h n s j t"]:
    """Return U of some heads."""
    m = None if here.norm is None else here.norm.m[:, heads]
    own = here.own
    k = Moving(here.k[heads], here.sources, along, into[KEY], swing, None if m is None else m[KEY])
    q = Moving(
        here.q[heads], here.queries, along[:, own], into[QUERY],
        None if swing is None else swing[:, own], None if m is None else m[QUERY][:, :, own],
    )  # fmt: skip
    U = here.positions.scores(q, k)
    U *= (here.scale * here.pattern[heads].mT)[:, :, :, None]
    return U
