"""A linear map followed by an activation function (docs/method.md §5.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.kinds.activations import ACTIVATIONS, mean_slopes
from lib_graph.kinds.hidden_units import affine
from lib_graph.kinds.linear import Linear
from lib_graph.method.ends import Ends, Narrow, in_blocks
from lib_graph.method.kind import Kind
from lib_graph.method.linear_map import LinearMap
from lib_graph.method.moments import InteractionMoments, counted_rows
from lib_graph.method.question import Question
from lib_graph.method.rules import Rule
from lib_graph.support.devices import exact

__all__ = ["Perceptron"]


@dataclass(frozen=True)
class Perceptron(Kind):
    """F(f) = act(f W + b) at every position. `activation` is a key of ACTIVATIONS."""

    weight: Float[Tensor, "d e"]
    bias: Float[Tensor, " e"] | None
    activation: str

    @property
    def local(self) -> bool:
        """True: each position is mapped by itself."""
        return True

    @property
    def reads_linearly(self) -> bool:
        """True: W comes first."""
        return True

    def __call__(self, f: Float[Tensor, "*n d"]) -> Float[Tensor, "*n e"]:
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

    def interactions(self, question: Question) -> Iterator[InteractionMoments]:
        """Yield the moments of A_itj = f̂_tj (m_t diag(c_j W) C)_i, c_j = row j of C⁺."""
        f, readout = question.f, question.readout
        m, inward = self._slopes(f.flatten(0, 1), question.rule), question.inverse @ self.weight
        for some in question.sources():
            derivative = (m[:, None] * inward[some.which]) @ readout.rotation
            attributions = derivative.unflatten(0, f.shape[:2]) * some.values[..., None]
            yield readout.moments(attributions.permute(2, 0, 1, 3))

    def after(self, previous: Kind) -> Kind | None:
        """Return f ↦ act((f W₁ + b₁) W + b) behind a linear section."""
        whole = previous.then(Linear(self.weight, self.bias))
        if not isinstance(whole, Linear):
            return None
        return Perceptron(whole.weight, whole.bias, self.activation)

    def narrowed(self, ends: Ends) -> Narrow:
        """Return c ↦ act(c D W + o W + b) R."""
        before, act = ends.affine(self.weight, self.bias), ACTIVATIONS[self.activation].value
        return in_blocks(lambda c: ends.read(act(before(c))), self.weight.shape[1])

    def linear_maps(self) -> Sequence[LinearMap]:
        """Return W, whose result is read through the slopes m: (Σ mᵀm) ∘ P."""

        def read(f: Tensor, P: Tensor) -> Tensor:
            m = ACTIVATIONS[self.activation].slope(affine(f, self.weight, self.bias))
            return (m.T @ m) * P

        return (LinearMap("weight", self.weight, self.bias, lambda f: f, read),)

    def output_gauges(self) -> Mapping[str, int]:
        """Return the scales of the units, where the activation is relu."""
        if self.activation != "relu":
            return {}
        return {"scale of each ReLU unit": self.weight.shape[1]}
