"""A residual MLP section without a norm (docs/method.md §5.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from lib_graph.kinds.activations import ACTIVATIONS, mean_slopes
from lib_graph.moments import InteractionMoments
from lib_graph.rules import Rule

__all__ = ["ResidualMLP"]


@dataclass(frozen=True)
class ResidualMLP:
    """F(f) = f + act(f W₁ + b₁) W₂ + b₂ at every position, no norm inside.

    `w_in` is W₁ (d × h), `w_out` is W₂ (h × d); `activation` is a key of ACTIVATIONS.
    """

    w_in: Float[Tensor, "d h"]
    b_in: Float[Tensor, " h"]
    w_out: Float[Tensor, "h d"]
    b_out: Float[Tensor, " d"]
    activation: str

    def __call__(self, f: Float[Tensor, "n s d"]) -> Float[Tensor, "n s d"]:
        """Return F(f)."""
        act = ACTIVATIONS[self.activation].value
        return f + act(f @ self.w_in + self.b_in) @ self.w_out + self.b_out

    def _slopes(self, f: Float[Tensor, "n s d"], rule: Rule) -> Float[Tensor, "ns h"]:
        return mean_slopes(self.activation, f @ self.w_in + self.b_in, rule)

    def second_moment(
        self, f: Float[Tensor, "n s d"], next_rotation: Float[Tensor, "d r"], rule: Rule
    ) -> Float[Tensor, "d d"]:
        """Return N S · (K + P + Pᵀ + W₁ (E[mᵀm] ∘ (W₂ K W₂ᵀ)) W₁ᵀ), P = W₁ diag(E[m]) W₂ K."""
        m = self._slopes(f, rule)
        out = self.w_out @ next_rotation
        cross = (self.w_in * m.sum(0)) @ out @ next_rotation.T
        inner = self.w_in @ ((m.T @ m) * (out @ out.T)) @ self.w_in.T
        return (len(m) * (next_rotation @ next_rotation.T) + cross + cross.T + inner).double()

    def interactions(
        self,
        f: Float[Tensor, "n s d"],
        features: Float[Tensor, "n s r"],
        inverse: Float[Tensor, "r d"],
        next_rotation: Float[Tensor, "d next_r"],
        rule: Rule,
        chunk: int,
    ) -> Iterator[InteractionMoments]:
        """Yield the moments of A_itj = f̂_tj (c_j C + (m_t ∘ c_j W₁) W₂ C)_i, c_j = row j of C⁺."""
        m = self._slopes(f, rule)
        straight, inward = inverse @ next_rotation, inverse @ self.w_in
        outward = self.w_out @ next_rotation
        for j in range(0, len(inverse), chunk):
            sources = slice(j, j + chunk)
            derivative = (m * inward[sources, None]) @ outward
            derivative += straight[sources, None]
            derivative = derivative.unflatten(1, f.shape[:2])
            attributions = derivative * features.permute(2, 0, 1)[sources, ..., None]
            yield InteractionMoments.of(attributions, f.shape[1])
