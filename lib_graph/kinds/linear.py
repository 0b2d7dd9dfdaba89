"""A linear section (docs/method.md §5.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.method.ends import Ends, Narrow
from lib_graph.method.kind import Kind
from lib_graph.method.linear_map import LinearMap
from lib_graph.method.moments import InteractionMoments, counted_rows
from lib_graph.method.question import Question
from lib_graph.method.rules import Rule
from lib_graph.support.devices import exact

__all__ = ["Linear"]


@dataclass(frozen=True)
class Linear(Kind):
    """F(f) = f W + b at every position. `weight` is W (d × d')."""

    weight: Float[Tensor, "d e"]
    bias: Float[Tensor, " e"] | None = None

    @property
    def local(self) -> bool:
        """True: each position is mapped by itself."""
        return True

    @property
    def reads_linearly(self) -> bool:
        """True: there is nothing but W."""
        return True

    def __call__(self, f: Float[Tensor, "*n d"]) -> Float[Tensor, "*n e"]:
        """Return F(f)."""
        return f @ self.weight + (0 if self.bias is None else self.bias)

    def second_moment(
        self,
        f: Float[Tensor, "n s d"],
        next_rotation: Float[Tensor, "e r"],
        rule: Rule,
        counted: Bool[Tensor, "n t"] | None = None,
    ) -> Float[Tensor, "d d"]:
        """Return N S · W K Wᵀ: the Jacobian is the same everywhere, whatever the rule."""
        half = self.weight @ next_rotation
        return exact(half @ half.T) * len(counted_rows(f, counted))

    def interactions(self, question: Question) -> Iterator[InteractionMoments]:
        """Yield the moments of A_itj = f̂_tj w_ji, w = C⁺ W C_{l+1}.

        All sources at once: the moments of f̂_j times w_ji, unless the targets have slopes.
        """
        readout = question.readout
        w = question.inverse @ self.weight @ readout.rotation
        if readout.slopes is not None:
            for some in question.sources():
                values = some.values.movedim(-1, 0)[..., None]
                yield readout.moments(values * w[some.which][:, None, None])
            return
        w, per_source = exact(w), readout.moments(question.features.movedim(-1, 0)[..., None])
        yield InteractionMoments(
            per_source.count,
            per_source.positions,
            per_source.square * w.square(),
            per_source.deviation * w.square().square(),
            per_source.signed * w,
        )

    def then(self, following: Kind) -> Kind | None:
        """Return f ↦ (f W₁ + b₁) W₂ + b₂ before another linear section."""
        if not isinstance(following, Linear):
            return None
        bias = following.bias if self.bias is None else following(self.bias)
        return Linear(self.weight @ following.weight, bias)

    def narrowed(self, ends: Ends) -> Narrow:
        """Return c ↦ c (D W R) + (o W + b) R."""
        return ends.affine(*ends.out(self.weight, self.bias))

    def masked(self, ends: Ends, mask: Bool[Tensor, "k m"]) -> Narrow:
        """Return c ↦ c (D W R ∘ mask) + (o W + b) R: one product for all targets."""
        weight, bias = ends.into(*ends.out(self.weight, self.bias))
        weight = weight * mask
        return lambda c: c @ weight + bias

    def linear_maps(self) -> Sequence[LinearMap]:
        """Return W itself."""
        return (LinearMap("weight", self.weight, self.bias, lambda f: f),)

    def output_gauges(self) -> Mapping[str, int]:
        """Return any basis of the result."""
        return {"basis between two linear maps": self.weight.shape[1] ** 2}
