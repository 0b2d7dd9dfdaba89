"""Attention between few coordinates and few directions (docs/method.md §13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from lib_graph.kinds.attention.positions import Positions
from lib_graph.method.ends import Ends, Narrow

__all__ = ["Heads", "NarrowAttention", "side_by_side"]

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
        return side_by_side(self.weight), bias

    def of_coordinates(self, ends: Ends, heads: int) -> Float[Tensor, "h x e"]:
        """Return the map of [c, 1], f = c D + o, to h heads: those of a group are alike."""
        weight, bias = ends.into(self.weight, self.bias)
        return torch.cat([weight, bias[:, None]], 1).repeat_interleave(heads // len(weight), 0)

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
    """c ↦ Σ_h A^h v^h `out`^h of coordinates c, by their maps to q, k and v, heads side by side.

    Without `out` the values are what the heads write. torch's fused attention does the rest:
    nothing of size T × T is kept, and no derivative can be taken. It takes longer to start than
    products do of up to FEW pairs of positions.
    """

    query: Narrow
    key: Narrow
    value: Narrow
    out: Float[Tensor, "h e m"] | None
    heads: int
    positions: Positions
    scale: float
    outputs: slice
    visible: Callable[[int], Bool[Tensor, "t s"]]

    def __call__(self, c: Float[Tensor, "n s k"]) -> Float[Tensor, "n t m"]:
        """Return what the heads write."""
        at = range(c.shape[1])
        q, k, v = self.query(c[:, self.outputs]), self.key(c), self.value(c)
        q, k = (_heads(x, q.shape[-1] // self.heads) for x in (q, k))
        if v.shape[-1] == 0:  # nothing is read, and nothing tells how many heads that is of
            return c.new_zeros(len(c), q.shape[2], 0)
        q, k = self.positions.rotate(q, at[self.outputs]), self.positions.rotate(k, at)
        v = _heads(v, v.shape[-1] // self.heads if self.out is None else self.out.shape[1])
        attend = self._plain if q.shape[2] * len(at) <= FEW else self._fused
        o = attend(q, self._for_all(k), self._for_all(v), self.visible(len(at)))
        return (
            o.sum(1) if self.out is None else o.transpose(1, 2).flatten(2) @ self.out.flatten(0, 1)
        )

    def _fused(self, q: Tensor, k: Tensor, v: Tensor, visible: Tensor) -> Float[Tensor, "n h t m"]:
        """Return the heads' outputs by torch's attention, which takes values as wide as keys."""
        wide, m = q.shape[-1], v.shape[-1]
        padded = pad(v, (0, wide - m)) if m < wide else v
        o = scaled_dot_product_attention(q, k, padded, attn_mask=visible, scale=self.scale)
        return o[..., :m]

    def _plain(self, q: Tensor, k: Tensor, v: Tensor, visible: Tensor) -> Float[Tensor, "n h t m"]:
        """Return the same, a source position after the other: each product is tiny here."""
        scores = torch.stack([(q * key).sum(-1) for key in k.split(1, 2)]) * self.scale
        hidden = ~visible.T[:, None, None]
        pattern = scores.masked_fill_(hidden, -torch.inf).softmax(0)[..., None]  # s n h t 1
        written = [a * value for a, value in zip(pattern, v.split(1, 2), strict=True)]
        return torch.stack(written).sum(0)

    def _for_all(self, x: Float[Tensor, "n g s e"]) -> Float[Tensor, "n h s e"]:
        """Return keys or values for each head of queries."""
        if x.shape[1] == 1:
            return x.expand(-1, self.heads, -1, -1)
        each = self.heads // x.shape[1]
        return x if each == 1 else x.repeat_interleave(each, 1)


def side_by_side(weight: Float[Tensor, "g d e"]) -> Float[Tensor, "d ge"]:
    """Return a map to each of some heads as one map."""
    return weight.movedim(0, 1).flatten(1)


def _heads(x: Float[Tensor, "n s ge"], size: int) -> Float[Tensor, "n g s e"]:
    heads: Tensor = x.unflatten(-1, (-1, size)).transpose(1, 2)
    return heads
