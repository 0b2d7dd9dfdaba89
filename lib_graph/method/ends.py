"""A section between few coordinates and few directions (docs/method.md §13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.support.devices import temporary

__all__ = ["Ends", "Narrow", "in_blocks"]

Narrow = Callable[[Float[Tensor, "n s k"]], Float[Tensor, "n t m"]]

BLOCK = 1 << 18  # numbers of a temporary


@dataclass(frozen=True)
class Ends:
    """Activations f = c D + o of k coordinates c, and what reads the result: R, or all of it.

    `directions` is D, `offset` is o, `toward` is R (None: the next layer as it is). Maps of c and
    into R are made of weights once, so that neither f nor the next layer are.
    """

    directions: Float[Tensor, "k d"]
    offset: Float[Tensor, " d"]
    toward: Float[Tensor, "e m"] | None = None

    def activations(self, c: Float[Tensor, "n s k"]) -> Float[Tensor, "n s d"]:
        """Return f = c D + o."""
        return c @ self.directions + self.offset

    def into(
        self, weight: Float[Tensor, "*g d h"], bias: Float[Tensor, "*g h"] | None
    ) -> tuple[Float[Tensor, "*g k h"], Float[Tensor, "*g h"]]:
        """Return weight and bias of f W + b as a map of c."""
        moved = self.offset @ weight
        return self.directions @ weight, moved if bias is None else moved + bias

    def affine(self, weight: Float[Tensor, "d h"], bias: Float[Tensor, " h"] | None) -> Narrow:
        """Return c ↦ (c D + o) W + b."""
        return _affine(*self.into(weight, bias))

    def read(self, values: Float[Tensor, "*n e"]) -> Float[Tensor, "*n m"]:
        """Return values of the next layer, read along R."""
        return values if self.toward is None else values @ self.toward

    def out(
        self, weight: Float[Tensor, "*g h e"], bias: Float[Tensor, " e"] | None
    ) -> tuple[Float[Tensor, "*g h m"], Float[Tensor, " m"]]:
        """Return weight and bias of h W + b, read along R."""
        w = self.read(weight)
        return w, w.new_zeros(w.shape[-1]) if bias is None else self.read(bias)

    def straight(self, bias: Float[Tensor, " m"] | None = None) -> Narrow:
        """Return c ↦ (c D + o) R + b."""
        d, o = self.read(self.directions), self.read(self.offset)
        return _affine(d, o if bias is None else o + bias)


def _affine(weight: Float[Tensor, "k m"], bias: Float[Tensor, " m"]) -> Narrow:
    return lambda c: torch.addmm(bias, c.flatten(0, -2), weight).unflatten(0, c.shape[:-1])


def in_blocks(narrow: Narrow, width: int) -> Narrow:
    """Return a map of rows that takes so many at a time that what is `width` wide stays small.

    Large temporaries cost more than what is done with them: the C library gives their memory back
    to the system, which clears it for the next ones.
    """

    def blocks(c: Float[Tensor, "n s k"]) -> Float[Tensor, "n s m"]:
        rows = max(1, temporary(c, BLOCK) // width)
        parts = [narrow(part) for part in c.flatten(0, 1).split(rows)]
        whole: Tensor = torch.cat(parts).unflatten(0, c.shape[:2])
        return whole

    return blocks
