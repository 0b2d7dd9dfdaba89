"""What an attention section's Jacobian has at all pairs t, s (docs/method.md §5.4).

Every sum is over a pair of heads, h and g, with temporaries of samples × T × T. Of the pair's
patterns only the product A^h ∘ A^g enters, of values and outputs only

    X_ts = a_s² (v^h_s − o^h_t) H (v^g_s − o^g_t)ᵀ,

which is a single product of matrices with 2e + 2 columns.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.kinds.attention.one_pass import KEY, VALUE, AttentionPass
from lib_graph.kinds.attention.spans import spans

__all__ = ["add_pairs"]


def add_pairs(
    here: AttentionPass, H: Float[Tensor, "h h e e"], gram: Float[Tensor, "3 h e 3 h e"]
) -> Float[Tensor, "3 h n s e"] | None:
    """Add to G what values and keys have in common; with a norm return g_s.

    Of blocks that are each other's transpose only that with h ≤ g is filled.
    """
    heads, weight = len(here.q), here.a.square()
    carried = None if here.norm is None else _Carried(here, here.norm.m)
    for h in range(heads):
        for g in spans(0, heads, here.pattern[0].numel(), here.pattern):
            pair = here.pattern[h] * here.pattern[g]
            X = _differences(here, H[h, g], h, g)
            received = pair.mT @ _with_ones(here.q[g])  # g n s (e + 1)
            total = received[..., -1:]
            by_key = weight * here.positions.unrotate(received[..., :-1], here.sources)
            by_query = here.positions.spread(here.q[g], pair, weight, here.sources)
            gram[VALUE, h, :, KEY, g] += (
                (here.scale * H[h, g])
                @ (_product(here.v[g], by_key) - _product(here.o[g], by_query))
            ).transpose(0, 1)
            if g.stop > h:
                late = slice(max(h - g.start, 0), None)
                same = (weight * total[late]).sum((1, 2, 3))[:, None, None] * H[h, g][late]
                gram[VALUE, h, :, VALUE, g][:, late] += same.transpose(0, 1)
                keys = here.positions.products(
                    here.q[h], here.q[g][late], pair[late] * X[late], here.sources
                )
                gram[KEY, h, :, KEY, g][:, late] += here.scale**2 * keys.transpose(0, 1)
            if carried is not None:
                carried.add(h, g, H[h, g], total, X)
    return None if carried is None else carried.result()


class _Carried:
    """g_s = a_s² Σ_t m_s X H Xᵀ, but for what has t = s alone.

    The key's part, Σ_t (…)_ts q_t R_sᵀ, is summed over h before it is multiplied with q.
    """

    def __init__(self, here: AttentionPass, m: Float[Tensor, "3 h n s e"]) -> None:
        turned = here.positions.rotate(m[KEY], here.sources)
        self.here, self.m, self.weight = here, m, here.a.square()
        self.shift = here.pattern * (here.scale * here.q @ turned.mT)  # h n t s
        self.by_key = torch.zeros_like(self.shift)
        self.found = torch.zeros_like(m)

    def add(
        self,
        h: int,
        g: slice,
        H: Float[Tensor, "g e e"],
        total: Float[Tensor, "g n s 1"],
        X: Float[Tensor, "g n t s"],
    ) -> None:
        """Add what the heads h and g have; `total` is Σ_t A^h_ts A^g_ts."""
        here, m = self.here, self.m[VALUE, h]
        onto = _onto(self.weight * m, H)
        direct = (
            _with_ones(here.o[g])
            @ torch.cat([-onto, (onto * here.v[g]).sum(-1, keepdim=True)], -1).mT
        )
        self.by_key[g].addcmul_(here.pattern[h], direct).addcmul_(self.shift[h], X)
        back = (self.shift[h] * here.pattern[g]).mT @ _with_ones(here.o[h])
        value = m * total + here.v[h] * back[..., -1:] - back[..., :-1]
        self.found[VALUE, g] += _onto(self.weight * value, H)

    def result(self) -> Float[Tensor, "3 h n s e"]:
        here = self.here
        by_key = here.scale * (self.by_key * here.pattern).mT @ here.q
        self.found[KEY] = here.positions.unrotate(by_key, here.sources)
        return self.found


def _differences(
    here: AttentionPass, H: Float[Tensor, "g e e"], h: int, g: slice
) -> Float[Tensor, "g n t s"]:
    """Return X_ts."""
    v, v_g, o, o_g = here.v[h], here.v[g], here.o[h], here.o[g]
    one_s, one_t = torch.ones_like(v_g[..., :1]), torch.ones_like(o_g[..., :1])
    o_H = _onto(o, H)
    v_H_v = (_onto(v, H) * v_g).sum(-1, keepdim=True)
    o_H_o = (o_H * o_g).sum(-1, keepdim=True)
    at_s = torch.cat([v.expand_as(v_g), v_g, one_s, v_H_v], -1)
    at_t = torch.cat([-_onto(o_g, H.mT), -o_H, o_H_o, one_t], -1)
    X: Tensor = at_t @ (here.a.square() * at_s).mT
    return X


def _onto(x: Float[Tensor, "*g n s e"], H: Float[Tensor, "g e e"]) -> Float[Tensor, "g n s e"]:
    """Return x H, one product of matrices for each pair."""
    product = x.flatten(-3, -2) @ H
    found: Tensor = product.unflatten(1, x.shape[-3:-1])
    return found


def _product(x: Float[Tensor, "g n s e"], y: Float[Tensor, "g n s e"]) -> Float[Tensor, "g e e"]:
    """Return Σ_ns x_sᵀ y_s."""
    product: Tensor = x.flatten(1, 2).mT @ y.flatten(1, 2)
    return product


def _with_ones(x: Float[Tensor, "*n e"]) -> Float[Tensor, "*n e+1"]:
    return torch.cat([x, torch.ones_like(x[..., :1])], -1)
