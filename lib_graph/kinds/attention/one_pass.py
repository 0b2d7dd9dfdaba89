"""One pass over an attention section: what its derivative is made of (docs/method.md §5.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.kinds.attention.positions import Positions

__all__ = [
    "KEY",
    "QUERIES",
    "QUERIES_ON_CARD",
    "QUERY",
    "VALUE",
    "AttentionPass",
    "Normalised",
    "Reach",
]

VALUE, KEY, QUERY = range(3)
QUERIES = 64  # in a block: later sources of a causal pattern are not looked at
QUERIES_ON_CARD = 256


class Normalised(NamedTuple):
    """What a norm in front gives: n̂ (its gain and bias left out) and m = n̂ Γ [W_V | W_K | W_Q]."""

    n_hat: Float[Tensor, "n s d"]
    m: Float[Tensor, "3 h n s e"]


@dataclass(frozen=True)
class Reach:
    """How far a position sees: not ahead, or only so near, or everything."""

    causal: bool
    window: int | None

    def seen(self, queries: range, sources: range) -> slice:
        """Return which of the sources some of the queries see.

        >>> Reach(causal=True, window=3).seen(range(4, 6), range(10))
        slice(2, 6, None)
        """
        far = len(sources) if self.window is None else self.window - 1
        first = max(queries[0] - far, sources[0])
        last = min(queries[-1] + (0 if self.causal else far), sources[-1])
        return slice(first - sources[0], last - sources[0] + 1)


@dataclass(frozen=True)
class AttentionPass:
    """h heads of size e on n samples, output positions t, input positions s.

    q and k are turned by their positions. `a` is the factor of the norm in front, or 1. `reach`
    says how far a t sees; `queries` and `sources` are the positions that t and s stand for.
    """

    q: Float[Tensor, "h n t e"]
    k: Float[Tensor, "h n s e"]
    v: Float[Tensor, "h n s e"]
    pattern: Float[Tensor, "h n t s"]
    o: Float[Tensor, "h n t e"]
    a: Float[Tensor, "n s 1"]
    norm: Normalised | None
    reach: Reach
    queries: range
    sources: range
    positions: Positions
    scale: float

    @property
    def own(self) -> slice:
        """Where among the s each t stands."""
        return _among(self.queries, self.sources)

    def counting(self, counted: Bool[Tensor, "n t"] | None) -> AttentionPass:
        """Return the pass with the outputs that do not count cut off from their inputs."""
        if counted is None:
            return self
        return replace(self, pattern=self.pattern * counted[:, :, None])

    def blocks(self, samples: int, queries: int) -> Iterator[tuple[slice, slice, AttentionPass]]:
        """Yield blocks of samples and queries: which they are, and with the sources they see."""
        _, samples_in_all, queries_in_all, _ = self.q.shape
        for i in range(0, samples_in_all, samples):
            for j in range(0, queries_in_all, queries):
                n, t = slice(i, i + samples), slice(j, j + queries)
                yield n, t, self._block(n, t)

    def _block(self, n: slice, t: slice) -> AttentionPass:
        s = self.reach.seen(self.queries[t], self.sources)
        norm = self.norm and Normalised(self.norm.n_hat[n, s], self.norm.m[:, :, n, s])
        return AttentionPass(
            self.q[:, n, t],
            self.k[:, n, s],
            self.v[:, n, s],
            self.pattern[:, n, t, s],
            self.o[:, n, t],
            self.a[n, s],
            norm,
            self.reach,
            self.queries[t],
            self.sources[s],
            self.positions,
            self.scale,
        )


def _among(some: range, every: range) -> slice:
    """Return where some positions stand among every one from the first to the last."""
    return slice(some.start - every.start, some.stop - every.start, some.step)
