"""A linear section (docs/method.md §5.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.method.moments import InteractionMoments, counted_rows
from lib_graph.method.readout import Readout
from lib_graph.method.rules import Rule
from lib_graph.support.devices import exact

__all__ = ["Linear"]


@dataclass(frozen=True)
class Linear:
    """F(f) = f W + b at every position. `weight` is W (d × d')."""

    weight: Float[Tensor, "d e"]
    bias: Float[Tensor, " e"] | None = None

    def __call__(self, f: Float[Tensor, "n s d"]) -> Float[Tensor, "n s e"]:
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

    def interactions(
        self,
        f: Float[Tensor, "n s d"],
        features: Float[Tensor, "n s r"],
        inverse: Float[Tensor, "r d"],
        readout: Readout,
        rule: Rule,
        chunk: int,
    ) -> Iterator[InteractionMoments]:
        """Yield the moments of A_itj = f̂_tj w_ji, w = C⁺ W C_{l+1}.

        All sources at once: the moments of f̂_j times w_ji, unless the targets have slopes.
        """
        w = inverse @ self.weight @ readout.rotation
        f_hat = features.movedim(-1, 0)[..., None]
        if readout.slopes is not None:
            for values, weights in zip(f_hat.split(chunk), w.split(chunk), strict=True):
                yield readout.moments(values * weights[:, None, None])
            return
        w, per_source = exact(w), readout.moments(f_hat)
        yield InteractionMoments(
            per_source.count,
            per_source.positions,
            per_source.square * w.square(),
            per_source.deviation * w.square().square(),
            per_source.signed * w,
        )
