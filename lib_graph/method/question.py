"""Which interactions of a section are asked for (docs/method.md §4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from lib_graph.method.readout import Readout
from lib_graph.method.rules import Rule

__all__ = ["Question", "Sources"]


class Sources(NamedTuple):
    """Some of the source features: which, the rows c_j of C⁺, and f̂_j at all positions."""

    which: slice
    rows: Float[Tensor, "j d"]
    values: Float[Tensor, "n s j"]


@dataclass(frozen=True)
class Question:
    """Which interactions of a section are asked for, on one batch.

    `f` are the activations of the source layer. A source j is the direction c_j, row j of C⁺
    (`inverse`), with the weights f̂_tj (`features`, 0 at positions that do not count). `readout`
    says what the targets are, `rule` along which path the derivative is averaged, and `chunk` how
    many sources may be taken together.
    """

    f: Float[Tensor, "n s d"]
    features: Float[Tensor, "n s r"]
    inverse: Float[Tensor, "r d"]
    readout: Readout
    rule: Rule
    chunk: int

    def sources(self, most: int | None = None) -> Iterator[Sources]:
        """Yield all sources in their order, `chunk` at a time, or at most `most`."""
        chunk = self.chunk if most is None else min(self.chunk, most)
        parts = zip(self.inverse.split(chunk), self.features.split(chunk, -1), strict=True)
        for i, (rows, values) in enumerate(parts):
            yield Sources(slice(i * chunk, (i + 1) * chunk), rows, values)

    def heard_by(self, readout: Readout) -> Question:
        """Return the same question with another readout."""
        return replace(self, readout=readout)

    def read_along(self, rotation: Float[Tensor, "e r"]) -> Question:
        """Return the same question with another rotation in its readout."""
        return replace(self, readout=replace(self.readout, rotation=rotation))
