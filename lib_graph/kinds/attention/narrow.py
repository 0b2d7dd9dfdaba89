"""Attention between few coordinates and few directions (docs/method.md §13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from lib_graph.kinds.attention.positions import Positions
from lib_graph.method.ends import Narrow

__all__ = ["Heads", "NarrowAttention"]


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
        """Return the values of h heads times `out`, with zeros beside them up to e coordinates."""
        each, fill = len(out) // len(self.weight), (0, out.shape[1] - out.shape[2])
        weight = self.weight.repeat_interleave(each, 0) @ out
        if self.bias is None:
            return Heads(pad(weight, fill), None)
        bias = self.bias.repeat_interleave(each, 0)[:, None] @ out
        return Heads(pad(weight, fill), pad(bias[:, 0], fill))


@dataclass(frozen=True)
class NarrowAttention:
    """c ↦ Σ_h A^h v^h W_O^h R of coordinates c, by their maps to q, k and v, heads side by side.

    `out` is W_O R; where m < e, the values are `Heads.read_along` it. torch's fused attention does
    the rest: nothing of size T × T is kept, and no derivative can be taken.
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
        v, visible = _heads(self.value(c), size), self.visible(c.shape[1])
        o = scaled_dot_product_attention(
            q, self._for_all(k), self._for_all(v), attn_mask=visible, scale=self.scale
        )
        if m < size:
            return o[..., :m].sum(1)
        return o.transpose(1, 2).flatten(2) @ self.out.flatten(0, 1)

    def _for_all(self, x: Float[Tensor, "n g s e"]) -> Float[Tensor, "n h s e"]:
        """Return keys or values for each head of queries."""
        each = len(self.out) // x.shape[1]
        return x if each == 1 else x.repeat_interleave(each, 1)


def _heads(x: Float[Tensor, "n s ge"], size: int) -> Float[Tensor, "n g s e"]:
    heads: Tensor = x.unflatten(-1, (-1, size)).transpose(1, 2)
    return heads
