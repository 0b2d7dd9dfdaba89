"""Sections of few input features, read along few output directions, at a cost to match.

For f = c D + o, with k coordinates c, and directions R of the next layer, or all of it: F(f) R
without ever making f. A section that begins with linear maps W takes D W for them; other sections
are run as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.kinds import Attention, Linear, Perceptron, ResidualMLP
from lib_graph.kinds.activations import ACTIVATIONS
from lib_graph.method.network import Constants, Section

__all__ = ["Narrow", "narrowed"]

Narrow = Callable[[Tensor, Constants], Tensor]
"""(coordinates n × s × k, the batch's constants) → n × t × m"""


@dataclass(frozen=True)
class _Ends:
    """Where the coordinates lead, D and o, and what reads the result: R, or all of it."""

    directions: Float[Tensor, "k d"]
    offset: Float[Tensor, " d"]
    toward: Float[Tensor, "e m"] | None

    def into(self, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return weight and bias of f W + b as a map of c; W is d × h or g × d × h."""
        moved = self.offset @ weight
        return self.directions @ weight, moved if bias is None else moved + bias

    def affine(self, weight: Tensor, bias: Tensor | None) -> Callable[[Tensor], Tensor]:
        """Return c ↦ (c D + o) W + b."""
        return _affine(*self.into(weight, bias))

    def read(self, values: Float[Tensor, "*n e"]) -> Float[Tensor, "*n m"]:
        """Return values of the next layer, read along R."""
        return values if self.toward is None else values @ self.toward

    def out(self, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return weight and bias of h W + b, read along R."""
        w = self.read(weight)
        return w, w.new_zeros(w.shape[-1]) if bias is None else self.read(bias)

    def straight(self, bias: Tensor | None) -> Callable[[Tensor], Tensor]:
        """Return c ↦ (c D + o) R + b."""
        d, o = self.read(self.directions), self.read(self.offset)
        return _affine(d, o if bias is None else o + bias)


def _affine(weight: Float[Tensor, "k m"], bias: Float[Tensor, " m"]) -> Callable[[Tensor], Tensor]:
    return lambda c: torch.addmm(bias, c.flatten(0, 1), weight).unflatten(0, c.shape[:2])


def narrowed(
    section: Section,
    directions: Float[Tensor, "k d"],
    offset: Float[Tensor, " d"],
    toward: Float[Tensor, "e m"] | None = None,
) -> Narrow:
    """Return c ↦ F(c D + o) R, or F(c D + o) where no R is given."""
    ends, kind = _Ends(directions, offset, toward), section.kind
    if isinstance(kind, Linear):
        return _linear(kind, ends)
    if isinstance(kind, Perceptron):
        return _perceptron(kind, ends)
    if isinstance(kind, ResidualMLP) and kind.norm is None:
        return _residual_mlp(kind, ends)
    if isinstance(kind, Attention) and kind.norm is None:
        return _attention(kind, ends)
    return lambda c, constants: ends.read(section(c @ directions + offset, constants))


def _linear(kind: Linear, ends: _Ends) -> Narrow:
    whole = ends.affine(*ends.out(kind.weight, kind.bias))
    return lambda c, _: whole(c)


def _perceptron(kind: Perceptron, ends: _Ends) -> Narrow:
    before, act = ends.affine(kind.weight, kind.bias), ACTIVATIONS[kind.activation].value
    return lambda c, _: ends.read(act(before(c)))


def _residual_mlp(kind: ResidualMLP, ends: _Ends) -> Narrow:
    before, act = ends.affine(kind.w_in, kind.b_in), ACTIVATIONS[kind.activation].value
    out, bias = ends.out(kind.w_out, kind.b_out)
    straight = ends.straight(bias)
    return lambda c, _: straight(c) + act(before(c)) @ out


def _attention(kind: Attention, ends: _Ends) -> Narrow:
    """Where m < e, the values are read along R at once: each head's has m coordinates."""
    heads, size = len(kind.w_o), kind.w_v.shape[-1]
    scale = kind.w_q.shape[-1] ** -0.5 if kind.scale is None else kind.scale
    w_v, b_v = ends.into(kind.w_v, kind.b_v)
    out, bias = ends.out(kind.w_o, kind.b_o)
    if (m := out.shape[-1]) < size:
        w_v, b_v = (x.repeat_interleave(heads // len(x), 0) for x in (w_v, b_v))
        w_v, b_v = w_v @ out, (b_v[:, None] @ out)[:, 0]
        out = torch.eye(m).to(out).expand(heads, m, m)
    w_q, b_q = ends.into(kind.w_q, kind.b_q)
    w_k, b_k = ends.into(kind.w_k, kind.b_k)
    inner = replace(
        kind, w_q=w_q, w_k=w_k, w_v=w_v, w_o=out, b_q=b_q, b_k=b_k, b_v=b_v, b_o=bias,
        scale=scale, residual=False,
    )  # fmt: skip
    if not kind.residual:
        return lambda c, _: inner(c)
    straight = ends.straight(None)
    return lambda c, _: straight(c[:, kind.outputs]) + inner(c)
