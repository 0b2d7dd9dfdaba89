"""A norm with a linear map behind, as before a language model's logits (docs/method.md §5.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.kinds.norm import Norm
from lib_graph.method.moments import InteractionMoments, counted_rows
from lib_graph.method.readout import Readout
from lib_graph.method.rules import Rule
from lib_graph.support.devices import exact

__all__ = ["NormLinear"]


class _Slopes(NamedTuple):
    """The mean Jacobian's parts at every position: J = straight W' − turned n̂ᵀ (n̂ Γ W)."""

    n_hat: Float[Tensor, "n s d"]
    straight: Float[Tensor, "n s 1"]
    turned: Float[Tensor, "n s 1"]


@dataclass(frozen=True)
class NormLinear:
    """F(f) = norm(f) W + b at every position. `weight` is W (d × d')."""

    norm: Norm
    weight: Float[Tensor, "d e"]
    bias: Float[Tensor, " e"] | None = None

    def __call__(self, f: Float[Tensor, "n s d"]) -> Float[Tensor, "n s e"]:
        """Return F(f)."""
        return self.norm(f) @ self.weight + (0 if self.bias is None else self.bias)

    def _slopes(self, f: Float[Tensor, "n s d"], rule: Rule) -> _Slopes:
        """Return the Jacobian's parts, averaged along the path.

        At α f the norm's derivative is a_α (P − n̂_αᵀn̂_α/d) Γ with n̂_α = (α a_α / a) n̂: the path
        changes two numbers per position, not their direction.
        """
        n_hat, a = self.norm.normalised(f)
        straight, turned = torch.zeros_like(a), torch.zeros_like(a)
        for alpha, weight in zip(rule.nodes, rule.weights, strict=True):
            a_there = self.norm.normalised(alpha * f)[1]
            straight += weight * a_there
            turned += weight * a_there * (alpha * a_there / a).square() / f.shape[-1]
        return _Slopes(n_hat, straight, turned)

    def second_moment(
        self,
        f: Float[Tensor, "n s d"],
        next_rotation: Float[Tensor, "e r"],
        rule: Rule,
        counted: Bool[Tensor, "n t"] | None = None,
    ) -> Float[Tensor, "d d"]:
        """Return N S · M' = Σ (x W' − y n̂ᵀm) K (x W' − y n̂ᵀm)ᵀ, W' = P Γ W and m = n̂ Γ W."""
        n_hat, x, y = (counted_rows(part, counted) for part in self._slopes(f, rule))
        inward = self.norm.projected(self.weight) @ next_rotation
        carried = (n_hat * self.norm.gain) @ self.weight @ next_rotation
        cross = (x * y * n_hat).T @ carried @ inward.T
        square = (y.square() * carried.square().sum(1, keepdim=True) * n_hat).T @ n_hat
        total = x.square().sum() * (inward @ inward.T) - cross - cross.T + square
        return exact(total)

    def interactions(
        self,
        f: Float[Tensor, "n s d"],
        features: Float[Tensor, "n s r"],
        inverse: Float[Tensor, "r d"],
        readout: Readout,
        rule: Rule,
        chunk: int,
    ) -> Iterator[InteractionMoments]:
        """Yield the moments of A_itj = f̂_tj (x_t u_ji − y_t s_tj v_ti), without forming A.

        u = C⁺ W' C, s = n̂ C⁺ᵀ and v = n̂ Γ W C, with C⁺ of this layer and C of the next. Their
        squares summed over t are three matrix products, in float64 since they are subtracted.
        """
        n_hat, x, y = self._slopes(f, rule)
        u = exact(inverse @ (self.norm.projected(self.weight) @ readout.rotation))
        v = exact((n_hat * self.norm.gain) @ self.weight @ readout.rotation)
        slopes = torch.ones_like(v[..., :1]) if readout.slopes is None else exact(readout.slopes)
        for rows, f_hat, part in zip(
            inverse.split(chunk), features.split(chunk, -1), u.split(chunk), strict=True
        ):
            along, across = exact(f_hat * x), exact(f_hat * y * (n_hat @ rows.T))
            mixed = (along * across).mT @ (slopes.square() * v)
            square = (along.square().mT @ slopes.square()) * part.square() - 2 * part * mixed
            square = (square + across.square().mT @ (slopes * v).square()).clamp_min_(0)
            signed = ((along.mT @ slopes) * part - across.mT @ (slopes * v)).mean(0)
            mean = square.mean(0)
            deviation = (square - mean).square_().sum(0)
            yield InteractionMoments(len(f), readout.positions, mean, deviation, signed)
