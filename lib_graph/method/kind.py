"""What a section can say of itself: closed forms, and whatever else is asked of a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.method.ends import Ends, Narrow
from lib_graph.method.linear_map import LinearMap
from lib_graph.method.moments import InteractionMoments
from lib_graph.method.question import Question
from lib_graph.method.rules import Rule

__all__ = ["Kind"]


class Kind:
    """What a section F is. This one says nothing; a subclass answers what it knows.

    Every method has an answer for "that I cannot say" (None, or nothing of what is asked for), and
    whoever asks then goes the general way. So a kind is one class, and nothing else names it. What
    `lib_graph.kinds` has are such classes; F(f) and `local` are held against the section itself at
    every build (`lib_graph.cutting.kindcheck`).

    >>> Kind().linear_maps(), Kind().gauges()
    ((), {})
    """

    @property
    def local(self) -> bool:
        """Whether F(f)_t depends on f_t alone."""
        return False

    def __call__(self, f: Float[Tensor, "n s d"]) -> Float[Tensor, "n t e"] | None:
        """Return F(f)."""
        return None

    def values(self, f: Float[Tensor, "n s d"]) -> Float[Tensor, "n t e"] | None:
        """Return F(f) as fast as can be; no derivative can be taken of it."""
        return self(f)

    def second_moment(
        self,
        f: Float[Tensor, "n s d"],
        next_rotation: Float[Tensor, "e r"],
        rule: Rule,
        counted: Bool[Tensor, "n t"] | None = None,
    ) -> Float[Tensor, "d d"] | None:
        """Return what `jacobians.second_moment` does (docs/method.md §3).

        `counted` marks the output positions that count; nothing reaches them from others. A rule
        may be what prevents an answer.
        """
        return None

    def interactions(self, question: Question) -> Iterator[InteractionMoments] | None:
        """Return what `interactions.interaction_moments` does, some sources at a time."""
        return None

    def then(self, following: Kind) -> Kind | None:
        """Return what this section and the one that follows are together."""
        return None

    def after(self, previous: Kind) -> Kind | None:
        """Return what the section before and this one are together, where its `then` is None."""
        return None

    def narrowed(self, ends: Ends) -> Narrow | None:
        """Return c ↦ F(c D + o) R for given ends, at a cost to match (docs/method.md §13)."""
        return None

    def masked(self, ends: Ends, mask: Bool[Tensor, "k m"]) -> Narrow | None:
        """Return c ↦ F((c ∘ maskᵢ) D + o) Rᵢ for all columns i of R, if that is one computation.

        Where it is not, each different column of the mask takes a `narrowed` of its own.
        """
        return None

    def beside_residual(self) -> Kind | None:
        """Return [n, f] ↦ f + G(n), where this is f ↦ f + G(norm(f))."""
        return None

    def linear_maps(self) -> Sequence[LinearMap]:
        """Return the linear maps inside, with what is to be known of each (docs/method.md §12)."""
        return ()

    def gauges(self) -> Mapping[str, int]:
        """Return the ways to change the parameters that change no result on any input.

        It is the number of directions by what they are called (docs/method.md §12).
        """
        return {}

    @property
    def reads_linearly(self) -> bool:
        """Whether F(f) = G(f W + b) for a linear map W of its own, which all of f goes through."""
        return False

    def output_gauges(self) -> Mapping[str, int]:
        """Return the ways to change the parameters that a linear map behind can undo."""
        return {}
