"""How attributions to the next layer's features become moments."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.method.moments import InteractionMoments

__all__ = ["Readout"]


@dataclass(frozen=True)
class Readout:
    """The next layer's features, and which of their positions count on one batch.

    `rotation` is C_{l+1}; `positions` is the number N S of input positions that count; `counted`
    marks the output positions that do (None: all). `slopes` are those of features that are not
    linear in the activations (None: all are).
    """

    rotation: Float[Tensor, "e r"]
    positions: int
    counted: Bool[Tensor, "n t"] | None = None
    slopes: Float[Tensor, "n t r"] | None = None

    def only(self, which: slice) -> Readout:
        """Return the readout of some of the features."""
        slopes = None if self.slopes is None else self.slopes[..., which]
        return replace(self, rotation=self.rotation[:, which], slopes=slopes)

    def counting(self, attributions: Float[Tensor, "j n t r"]) -> Float[Tensor, "j n t r"]:
        """Return A_itj, sources j first, 0 at output positions that do not count.

        Given are the attributions to (F C_{l+1})_it; the slopes are put on here.
        """
        if self.slopes is not None:
            attributions = attributions * self.slopes
        if self.counted is not None:
            attributions = attributions * self.counted[..., None]
        return attributions

    def moments(self, attributions: Float[Tensor, "j n t r"]) -> InteractionMoments:
        """Return the moments of A_itj over the output positions that count, given as `counting`."""
        return InteractionMoments.of(self.counting(attributions), self.positions)
