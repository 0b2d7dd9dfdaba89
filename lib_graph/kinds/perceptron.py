"""A linear map followed by an activation function (docs/method.md §5.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.kinds.activations import ACTIVATIONS, mean_slopes
from lib_graph.kinds.hidden_units import affine
from lib_graph.method.moments import InteractionMoments, counted_rows
from lib_graph.method.readout import Readout
from lib_graph.method.rules import Rule
from lib_graph.support.devices import exact

__all__ = ["Perceptron"]


@dataclass(frozen=True)
class Perceptron:
    """F(f) = act(f W + b) at every position. `activation` is a key of ACTIVATIONS."""

    weight: Float[Tensor, "d e"]
    bias: Float[Tensor, " e"] | None
    activation: str

    def __call__(self, f: Float[Tensor, "n s d"]) -> Float[Tensor, "n s e"]:
        """Return F(f)."""
        return ACTIVATIONS[self.activation].value(affine(f, self.weight, self.bias))

    def _slopes(self, rows: Float[Tensor, "ns d"], rule: Rule) -> Float[Tensor, "ns e"]:
        return mean_slopes(self.activation, affine(rows, self.weight, self.bias), rule)

    def second_moment(
        self,
        f: Float[Tensor, "n s d"],
        next_rotation: Float[Tensor, "e r"],
        rule: Rule,
        counted: Bool[Tensor, "n t"] | None = None,
    ) -> Float[Tensor, "d d"]:
        """Return N S · W (E[mᵀm] ∘ K) Wᵀ, m = ∫ act'(α (f W + b)) dα."""
        m = self._slopes(counted_rows(f, counted), rule)
        K = next_rotation @ next_rotation.T
        return exact(self.weight @ ((m.T @ m) * K) @ self.weight.T)

    def interactions(
        self,
        f: Float[Tensor, "n s d"],
        features: Float[Tensor, "n s r"],
        inverse: Float[Tensor, "r d"],
        readout: Readout,
        rule: Rule,
        chunk: int,
    ) -> Iterator[InteractionMoments]:
        """Yield the moments of A_itj = f̂_tj (m_t diag(c_j W) C)_i, c_j = row j of C⁺."""
        m, inward = self._slopes(f.flatten(0, 1), rule), inverse @ self.weight
        for rows, f_hat in zip(inward.split(chunk), features.split(chunk, -1), strict=True):
            derivative = ((m[:, None] * rows) @ readout.rotation).unflatten(0, f.shape[:2])
            yield readout.moments((derivative * f_hat[..., None]).permute(2, 0, 1, 3))
