"""A residual MLP section (docs/method.md §5.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from lib_graph.kinds.activations import ACTIVATIONS
from lib_graph.kinds.hidden_units import Branch, HiddenUnits, affine
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

    def __call__(self, f: Float[Tensor, "n s d"]) -> Float[Tensor, "n s d"]:
        """Return F(f)."""
        n = f if self.norm is None else self.norm(f)
        hidden = ACTIVATIONS[self.activation].value(affine(n, self.w_in, self.b_in))
        return f + affine(hidden, self.w_out, self.b_out)

    def _branches(self) -> Sequence[Branch]:
        return [Branch(self.w_in, self.b_in)]

    def _derivatives(self, before: Sequence[Float[Tensor, "ns h"]]) -> Sequence[Tensor]:
        return [ACTIVATIONS[self.activation].slope(before[0])]
