"""A linear map followed by an activation function (docs/method.md §5.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.kinds.activations import ACTIVATIONS, mean_slopes
from lib_graph.kinds.hidden_units import affine
from lib_graph.moments import InteractionMoments, counted_rows
from lib_graph.readout import Readout
from lib_graph.rules import Rule

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
        return (self.weight @ ((m.T @ m) * K) @ self.weight.T).double()

    def interactions(
        self,
        f: Float[Tensor, "n s d"],
        features: Float[Tensor, "n s r"],
        inverse: Float[Tensor, "r d"],
        readout: Readout,
        rule: Rule,
        chunk: int,
    ) -> Iterator[InteractionMoments]:
        """Yield the moments of A_itj = f̂_tj (m_t diag(c_j W) C)_i, c_j = row j of C⁺.

        One product with all of a chunk's matrices diag(c_j W) C side by side; each further pass
        over its result, which is r times as large as the layer, would take as long.
        """
        n, s = f.shape[:2]
        m, inward = self._slopes(f.flatten(0, 1), rule), inverse @ self.weight
        if readout.counted is not None:
            m = m * readout.counted.flatten()[:, None]
        rows = features.flatten(0, 1)
        signed = ((rows.double().T @ m.double()) * inward) @ readout.rotation.double() / n
        for j in range(0, len(inward), chunk):
            here = slice(j, j + chunk)
            maps = inward[here, :, None] * readout.rotation  # j h r
            square = (m @ maps.movedim(0, 1).flatten(1)).square_().unflatten(1, (len(maps), -1))
            square.mul_(rows[:, here, None].square())
            square = square.unflatten(0, (n, s)).sum(1) if s > 1 else square
            square = square.double()
            mean = square.mean(0)
            deviation = square.sub_(mean).square_().sum(0)
            yield InteractionMoments(n, readout.positions, mean, deviation, signed[here])
