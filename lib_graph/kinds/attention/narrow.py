"""Attention between few coordinates and few directions (docs/method.md §13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from lib_graph.kinds.attention.positions import Positions
from lib_graph.method.ends import Narrow

__all__ = ["Heads", "NarrowAttention"]

FEW = 16


@dataclass(frozen=True)
class Heads:
    """A map of n to the queries, keys or values of g heads: n W + b. W is g × d × e."""

    weight: Float[Tensor, "g d e"]
    bias: Float[Tensor, "g e"] | None

    @property
    def side_by_side(self) -> tuple[Float[Tensor, "d ge"], Float[Tensor, " ge"] | None]:
        """W and b of all heads as one map."""
        bias = None if self.bias is None else self.bias.flatten()
        return self.weight.movedim(0, 1).flatten(1), bias

    def read_along(self, out: Float[Tensor, "h e m"]) -> Heads:
        """Return the values of h heads times `out`."""
        each = len(out) // len(self.weight)
        weight = self.weight.repeat_interleave(each, 0) @ out
        if self.bias is None:
            return Heads(weight, None)
        bias = self.bias.repeat_interleave(each, 0)[:, None] @ out
        return Heads(weight, bias[:, 0])


@dataclass(frozen=True)
class NarrowAttention:
    """c ↦ Σ_h A^h v^h W_O^h R of coordinates c, by their maps to q, k and v, heads side by side.

    `out` is W_O R; where m < e, the values are `Heads.read_along` it. torch's fused attention does
    the rest: nothing of size T × T is kept, and no derivative can be taken. It takes longer to
    start than products do of up to FEW pairs of positions.
    """

    query: Narrow
    key: Narrow
    value: Narrow
    out: Float[Tensor, "h e m"]
    positions: Positions
    scale: float
    outputs: slice
    visible: Callable[[int], Bool[Tensor, "t s"]]

    def __call__(self, c: Float[Tensor, "n s k"]) -> Float[Tensor, "n t m"]:
        """Return what the heads write, read along R."""
        at, (heads, size, m) = range(c.shape[1]), self.out.shape
        q = self.query(c[:, self.outputs])
        q, k = (_heads(x, q.shape[-1] // heads) for x in (q, self.key(c)))
        q, k = self.positions.rotate(q, at[self.outputs]), self.positions.rotate(k, at)
        if m == 0:  # nothing is read, and nothing tells how many heads that is of
            return c.new_zeros(len(c), q.shape[2], 0)
        v = _heads(self.value(c), min(m, size))
        attend = self._plain if q.shape[2] * len(at) <= FEW else self._fused
        o = attend(q, self._for_all(k), self._for_all(v), self.visible(len(at)))
        return o.sum(1) if m < size else o.transpose(1, 2).flatten(2) @ self.out.flatten(0, 1)

    def _fused(self, q: Tensor, k: Tensor, v: Tensor, visible: Tensor) -> Float[Tensor, "n h t m"]:
        """Return the heads' outputs by torch's attention, which takes values as wide as keys."""
        wide, m = q.shape[-1], v.shape[-1]
        padded = pad(v, (0, wide - m)) if m < wide else v
        o = scaled_dot_product_attention(q, k, padded, attn_mask=visible, scale=self.scale)
        return o[..., :m]

    def _plain(self, q: Tensor, k: Tensor, v: Tensor, visible: Tensor) -> Float[Tensor, "n h t m"]:
        """Return the same without products of matrices, which are tiny here."""
        scores = (q[..., None, :] * k[:, :, None]).sum(-1) * self.scale
        pattern = scores.masked_fill(~visible, -torch.inf).softmax(-1)
        return (pattern[..., None] * v[:, :, None]).sum(3)

    def _for_all(self, x: Float[Tensor, "n g s e"]) -> Float[Tensor, "n h s e"]:
        """Return keys or values for each head of queries."""
        each = len(self.out) // x.shape[1]
        return x if each == 1 else x.repeat_interleave(each, 1)


def _heads(x: Float[Tensor, "n s ge"], size: int) -> Float[Tensor, "n g s e"]:
    heads: Tensor = x.unflatten(-1, (-1, size)).transpose(1, 2)
    return heads
