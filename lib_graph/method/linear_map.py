"""A linear map inside a section, with what comes into it and what is read of its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

__all__ = ["LinearMap"]

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
    read: Callable[[Rows, Tensor], Tensor] | None = None
    reads: bool = True
