"""One pass over an attention section: what its derivative is made of (docs/method.md §5.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from lib_graph.kinds.attention.positions import Positions

__all__ = ["KEY", "QUERY", "VALUE", "AttentionPass", "Normalised"]

VALUE, KEY, QUERY = range(3)


class Normalised(NamedTuple):
    """What a norm in front gives: n̂ (its gain and bias left out) and m = n̂ Γ [W_V | W_K | W_Q]."""

    n_hat: Float[Tensor, "n s d"]
    m: Float[Tensor, "3 h n s e"]


@dataclass(frozen=True)
class AttentionPass:
    """h heads of size e on n samples, output positions t, input positions s.

    q and k are turned by their positions. `a` is the factor of the norm in front, or 1. `visible`
    says which s a t sees; `queries` and `sources` are the positions that t and s stand for.
    """

    q: Float[Tensor, "h n t e"]
    k: Float[Tensor, "h n s e"]
    v: Float[Tensor, "h n s e"]
    pattern: Float[Tensor, "h n t s"]
    o: Float[Tensor, "h n t e"]
    a: Float[Tensor, "n s 1"]
    norm: Normalised | None
    visible: Bool[Tensor, "t s"]
    queries: Int[Tensor, " t"]
    sources: Int[Tensor, " s"]
    positions: Positions
    scale: float

    @property
    def own(self) -> Int[Tensor, " t"]:
        """Where among the s each t stands."""
        return self.queries - self.sources[0]

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
        seen = self.visible[t].any(0)
        seen[self.own[t]] = True
        first, last = seen.nonzero()[[0, -1], 0].tolist()
        s = slice(first, last + 1)
        norm = self.norm and Normalised(self.norm.n_hat[n, s], self.norm.m[:, :, n, s])
        return AttentionPass(
            self.q[:, n, t],
            self.k[:, n, s],
            self.v[:, n, s],
            self.pattern[:, n, t, s],
            self.o[:, n, t],
            self.a[n, s],
            norm,
            self.visible[t, s],
            self.queries[t],
            self.sources[s],
            self.positions,
            self.scale,
        )
