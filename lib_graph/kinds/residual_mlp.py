"""A residual MLP section (docs/method.md §5.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from lib_graph.kinds.activations import ACTIVATIONS
from lib_graph.kinds.hidden_units import Branch, HiddenUnits
from lib_graph.kinds.norm import Norm

__all__ = ["ResidualMLP"]


@dataclass(frozen=True)
class ResidualMLP(HiddenUnits):
    """F(f) = f + act(n W₁ + b₁) W₂ + b₂ at every position, n = norm(f), or f without a norm.

    `w_in` is W₁ (d × h), `w_out` is W₂ (h × d); `activation` is a key of ACTIVATIONS.
    """

    w_in: Float[Tensor, "d h"]
    b_in: Float[Tensor, " h"] | None
    w_out: Float[Tensor, "h d"]
    b_out: Float[Tensor, " d"] | None
    activation: str
    norm: Norm | None = None

    def _branches(self) -> Sequence[Branch]:
        return [Branch("w_in", self.w_in, self.b_in)]

    def _hidden(self, before: Sequence[Float[Tensor, "*n h"]]) -> Float[Tensor, "*n h"]:
        return ACTIVATIONS[self.activation].value(before[0])

    def _derivatives(self, before: Sequence[Float[Tensor, "ns h"]]) -> Sequence[Tensor]:
        return [ACTIVATIONS[self.activation].slope(before[0])]

    def gauges(self) -> Mapping[str, int]:
        """Return the scales of the units, where the activation is relu."""
        return {"scale of each ReLU unit": len(self.w_out)} if self.activation == "relu" else {}
