"""The linear maps inside sections, with what comes into them and what is read of their results.

A change δW of a map x ↦ x W + b changes no result, to first order, if δW and δb vanish on all x of
the data, or if nobody reads the direction in which the result moves. With x spanning r directions
about its mean and q directions read, (r + 1) q of the (d + 1) e parameters matter; the others are
free (docs/method.md, Degeneracy).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.kinds import Attention, GatedMLP, Linear, Norm, Perceptron, ResidualMLP
from lib_graph.kinds.activations import ACTIVATIONS
from lib_graph.kinds.hidden_units import affine
from lib_graph.method.moments import Moments

__all__ = ["LinearMap", "Space", "maps_of", "span_of"]

Rows = Float[Tensor, "rows d"]


@dataclass(frozen=True)
class LinearMap:
    """A map x ↦ x W + b of a section, W d × e.

    `inputs(f)` gives x for rows f of the layer before; None: not looked at. `read(f, P)` gives the
    sum over rows of J P Jᵀ, J the derivative of the next layer by this result and P the
    projector to what is read there. Without `read`, the result is a summand of the next layer, so P
    itself says what is read, or, without `reads`, that is not looked at.
    """

    name: str
    weight: Float[Tensor, "d e"]
    bias: Float[Tensor, " e"] | None
    inputs: Callable[[Rows], Rows] | None
    read: Callable[[Rows, Tensor], Tensor] | None
    reads: bool = True


@dataclass(frozen=True)
class Space:
    """The directions of a space that matter: `rank` of `width`; `null` spans the others."""

    width: int
    rank: int
    null: Float[Tensor, "width free"]

    @classmethod
    def of(cls, moment: Float[Tensor, "d d"], tau: float) -> Space:
        """Return the span of a second moment: eigenvalues above `tau` times the largest."""
        values, vectors = torch.linalg.eigh(moment.double())
        null = values <= tau * values[-1].clamp_min(0)
        return cls(len(values), int((~null).sum()), vectors[:, null])

    @classmethod
    def whole(cls, width: int) -> Space:
        """Return all of a space."""
        return cls(width, width, torch.zeros(width, 0, dtype=torch.float64))

    @property
    def projector(self) -> Float[Tensor, "width width"]:
        """The projector to the directions that matter."""
        return torch.eye(self.width, dtype=torch.float64) - self.null @ self.null.T


def _same(f: Rows) -> Rows:
    return f


def _normed(norm: Norm | None) -> Callable[[Rows], Rows]:
    return _same if norm is None else norm


@singledispatch
def maps_of(kind: Any) -> Sequence[LinearMap]:
    """Return the linear maps in a section of a kind; none where that is not known."""
    return ()


@maps_of.register
def _(kind: Linear) -> Sequence[LinearMap]:
    return (LinearMap("weight", kind.weight, kind.bias, _same, None),)


@maps_of.register
def _(kind: Perceptron) -> Sequence[LinearMap]:
    def read(f: Rows, P: Tensor) -> Tensor:
        m = ACTIVATIONS[kind.activation].slope(affine(f, kind.weight, kind.bias))
        return (m.T @ m) * P

    return (LinearMap("weight", kind.weight, kind.bias, _same, read),)


@maps_of.register
def _(kind: ResidualMLP) -> Sequence[LinearMap]:
    act, norm = ACTIVATIONS[kind.activation], _normed(kind.norm)

    def before(f: Rows) -> Tensor:
        return affine(norm(f), kind.w_in, kind.b_in)

    def read(f: Rows, P: Tensor) -> Tensor:
        m = act.slope(before(f))
        return (m.T @ m) * (kind.w_out @ P @ kind.w_out.T)

    return (
        LinearMap("w_in", kind.w_in, kind.b_in, norm, read),
        LinearMap("w_out", kind.w_out, kind.b_out, lambda f: act.value(before(f)), None),
    )


@maps_of.register
def _(kind: GatedMLP) -> Sequence[LinearMap]:
    act, norm = ACTIVATIONS[kind.activation], _normed(kind.norm)

    def gate(f: Rows) -> Tensor:
        return affine(norm(f), kind.w_gate, kind.b_gate)

    def up(f: Rows) -> Tensor:
        return affine(norm(f), kind.w_up, kind.b_up)

    def reader(slope: Callable[[Rows], Tensor]) -> Callable[[Rows, Tensor], Tensor]:
        def read(f: Rows, P: Tensor) -> Tensor:
            m = slope(f)
            return (m.T @ m) * (kind.w_out @ P @ kind.w_out.T)

        return read

    by_gate, by_up = (
        reader(lambda f: act.slope(gate(f)) * up(f)),
        reader(lambda f: act.value(gate(f))),
    )
    return (
        LinearMap("w_gate", kind.w_gate, kind.b_gate, norm, by_gate),
        LinearMap("w_up", kind.w_up, kind.b_up, norm, by_up),
        LinearMap("w_out", kind.w_out, kind.b_out, lambda f: act.value(gate(f)) * up(f), None),
    )


@maps_of.register
def _(kind: Attention) -> Sequence[LinearMap]:
    """All heads side by side; what reads q, k and v, and what the heads write, is not looked at."""
    maps = [
        LinearMap(
            name,
            weight.movedim(0, 1).flatten(1),
            None if bias is None else bias.flatten(),
            _normed(kind.norm),
            None,
            reads=False,
        )
        for name, weight, bias in (
            ("w_q", kind.w_q, kind.b_q), ("w_k", kind.w_k, kind.b_k), ("w_v", kind.w_v, kind.b_v),
        )
    ]  # fmt: skip
    return (*maps, LinearMap("w_o", kind.w_o.flatten(0, 1), kind.b_o, None, None))


def span_of(moments: Moments, bias: Tensor | None, tau: float) -> Space:
    """Return the directions of a map's inputs that matter: with a bias, about their mean."""
    about_mean = moments.covariance
    if bias is not None:
        return Space.of(about_mean, tau)
    return Space.of(about_mean + torch.outer(moments.mean, moments.mean), tau)
