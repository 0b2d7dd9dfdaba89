"""A norm with a linear map behind, as before a language model's logits (docs/method.md §5.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.kinds.norm import Norm
from lib_graph.method.ends import Ends, Narrow
from lib_graph.method.kind import Kind
from lib_graph.method.moments import InteractionMoments
from lib_graph.method.question import Question
from lib_graph.method.rules import Rule

__all__ = ["NormLinear"]


@dataclass(frozen=True)
class NormLinear(Kind):
    """F(f) = norm(f) W + b at every position. `weight` is W (d × d').

    F C = norm(f) (W C) + b C: all that the closed forms of the norm need to know is that its
    features are those of W C.
    """

    norm: Norm
    weight: Float[Tensor, "d e"]
    bias: Float[Tensor, " e"] | None = None

    @property
    def local(self) -> bool:
        """True: each position is mapped by itself."""
        return True

    def __call__(self, f: Float[Tensor, "*n d"]) -> Float[Tensor, "*n e"]:
        """Return F(f)."""
        return self.norm(f) @ self.weight + (0 if self.bias is None else self.bias)

    def second_moment(
        self,
        f: Float[Tensor, "n s d"],
        next_rotation: Float[Tensor, "e r"],
        rule: Rule,
        counted: Bool[Tensor, "n t"] | None = None,
    ) -> Float[Tensor, "d d"]:
        """Return N S · M', that of the norm with W C for the next layer's basis."""
        return self.norm.second_moment(f, self.weight @ next_rotation, rule, counted)

    def interactions(self, question: Question) -> Iterator[InteractionMoments]:
        """Return the moments of A_itj, those of the norm with W C for the next layer's basis."""
        rotation = self.weight @ question.readout.rotation
        return self.norm.interactions(question.read_along(rotation))

    def narrowed(self, ends: Ends) -> Narrow:
        """Return c ↦ ĉ (D̂ W R) + (β W + b) R."""
        scaled, inner = self.norm.inside(ends)
        whole = inner.affine(*inner.out(self.weight, self.bias))
        return lambda c: whole(scaled(c))
