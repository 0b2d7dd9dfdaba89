"""A residual gated MLP section, as in SwiGLU (docs/method.md §5.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from lib_graph.kinds.activations import ACTIVATIONS
from lib_graph.kinds.hidden_units import Branch, HiddenUnits
from lib_graph.kinds.norm import Norm

__all__ = ["GatedMLP"]


@dataclass(frozen=True)
class GatedMLP(HiddenUnits):
    """F(f) = f + (act(n W_g + b_g) ∘ (n W_u + b_u)) W_out + b_out, n = norm(f), or f without one.

    `w_gate` and `w_up` are d × h, `w_out` is h × d; `activation` is a key of ACTIVATIONS.
    """

    w_gate: Float[Tensor, "d h"]
    w_up: Float[Tensor, "d h"]
    w_out: Float[Tensor, "h d"]
    activation: str
    norm: Norm | None = None
    b_gate: Float[Tensor, " h"] | None = None
    b_up: Float[Tensor, " h"] | None = None
    b_out: Float[Tensor, " d"] | None = None

    def _branches(self) -> Sequence[Branch]:
        return [
            Branch("w_gate", self.w_gate, self.b_gate),
            Branch("w_up", self.w_up, self.b_up),
        ]

    def _hidden(self, before: Sequence[Float[Tensor, "*n h"]]) -> Float[Tensor, "*n h"]:
        gate, up = before
        return ACTIVATIONS[self.activation].value(gate) * up

    def _derivatives(self, before: Sequence[Float[Tensor, "ns h"]]) -> Sequence[Tensor]:
        gate, up = before
        act = ACTIVATIONS[self.activation]
        return [act.slope(gate) * up, act.value(gate)]

    def gauges(self) -> Mapping[str, int]:
        """Return the scales of what the gates let through, and where they are relus, their own."""
        scales = {"scale of each gated unit": len(self.w_out)}
        if self.activation == "relu":
            scales["scale of each ReLU unit"] = len(self.w_out)
        return scales
