"""A section whose next layer is the last part of what another kind gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import overload

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.method.ends import Ends, Narrow
from lib_graph.method.kind import Kind
from lib_graph.method.moments import InteractionMoments
from lib_graph.method.question import Question
from lib_graph.method.rules import Rule

__all__ = ["Tail", "read_first", "write_last"]


@dataclass(frozen=True)
class Tail(Kind):
    """F(f) = the last `width` of the `whole_width` coordinates of G(f), G = `whole`.

    F Π C = G (Π C), with Π the choice of coordinates: all that the closed forms of G need to know
    is that its features are those of Π C.
    """

    whole: Kind
    whole_width: int
    width: int

    @property
    def local(self) -> bool:
        """Whether G(f)_t depends on f_t alone."""
        return self.whole.local

    def __call__(self, f: Float[Tensor, "n s d"]) -> Float[Tensor, "n t e"] | None:
        """Return F(f)."""
        whole = self.whole(f)
        return None if whole is None else whole[..., self.whole_width - self.width :]

    def values(self, f: Float[Tensor, "n s d"]) -> Float[Tensor, "n t e"] | None:
        """Return F(f), with no derivative."""
        whole = self.whole.values(f)
        return None if whole is None else whole[..., self.whole_width - self.width :]

    def _extended(self, rotation: Float[Tensor, "e r"]) -> Float[Tensor, "whole r"]:
        """Return Π C."""
        rows = rotation[:]
        return torch.cat([rows.new_zeros(self.whole_width - self.width, rows.shape[1]), rows])

    def second_moment(
        self,
        f: Float[Tensor, "n s d"],
        next_rotation: Float[Tensor, "e r"],
        rule: Rule,
        counted: Bool[Tensor, "n t"] | None = None,
    ) -> Float[Tensor, "d d"] | None:
        """Return N S · M'; None if the rule prevents it."""
        return self.whole.second_moment(f, self._extended(next_rotation), rule, counted)

    def interactions(self, question: Question) -> Iterator[InteractionMoments] | None:
        """Return the moments of A_itj, some sources at a time."""
        rotation = self._extended(question.readout.rotation)
        return self.whole.interactions(question.read_along(rotation))

    def _ends(self, ends: Ends) -> Ends:
        """Return ends that read of G what the given ones read of F."""
        toward = ends.toward
        if toward is None:
            toward = torch.eye(self.width).to(ends.offset)
        return replace(ends, toward=self._extended(toward))

    def narrowed(self, ends: Ends) -> Narrow | None:
        """Return c ↦ G(c D + o) Π R."""
        return self.whole.narrowed(self._ends(ends))

    def masked(self, ends: Ends, mask: Bool[Tensor, "k m"]) -> Narrow | None:
        """Return c ↦ G((c ∘ maskᵢ) D + o) (Π R)ᵢ for all columns i."""
        return self.whole.masked(self._ends(ends), mask)


def read_first(weight: Float[Tensor, "*g d h"]) -> Float[Tensor, "*g 2d h"]:
    """Return the weight that reads the first half of what is twice as wide."""
    return torch.cat([weight, torch.zeros_like(weight)], -2)


@overload
def write_last(weight: Float[Tensor, "*h d"]) -> Float[Tensor, "*h 2d"]: ...
@overload
def write_last(weight: None) -> None: ...
def write_last(weight: Float[Tensor, "*h d"] | None) -> Float[Tensor, "*h 2d"] | None:
    """Return the weight or bias that writes into the last half of what is twice as wide."""
    return None if weight is None else torch.cat([torch.zeros_like(weight), weight], -1)
