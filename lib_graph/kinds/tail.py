"""A section whose next layer is the last part of what another kind gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.method.moments import InteractionMoments
from lib_graph.method.readout import Readout
from lib_graph.method.rules import Rule

if TYPE_CHECKING:
    from lib_graph.method.network import Kind

__all__ = ["Tail"]


@dataclass(frozen=True)
class Tail:
    """F(f) = the last `width` of the `whole_width` coordinates of G(f), G = `whole`.

    F Π C = G (Π C), with Π the choice of coordinates: all that the closed forms of G need to know
    is that its features are those of Π C.
    """

    whole: Kind
    whole_width: int
    width: int

    def __call__(self, f: Float[Tensor, "n s d"]) -> Float[Tensor, "n t e"]:
        """Return F(f)."""
        return self.whole(f)[..., self.whole_width - self.width :]

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

    def interactions(
        self,
        f: Float[Tensor, "n s d"],
        features: Float[Tensor, "n s r"],
        inverse: Float[Tensor, "r d"],
        readout: Readout,
        rule: Rule,
        chunk: int,
    ) -> Iterator[InteractionMoments]:
        """Yield the moments of A_itj, some sources at a time."""
        extended = replace(readout, rotation=self._extended(readout.rotation))
        return self.whole.interactions(f, features, inverse, extended, rule, chunk)
