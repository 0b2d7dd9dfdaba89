"""LayerNorm and RMSNorm, as sections and as parts of others (docs/method.md §5.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.method.ends import Ends, Narrow
from lib_graph.method.kind import Kind
from lib_graph.method.moments import InteractionMoments, counted_rows
from lib_graph.method.question import Question
from lib_graph.method.rules import Rule
from lib_graph.support.devices import exact

__all__ = ["Inside", "Norm"]


class Inside(NamedTuple):
    """n(c D + o) = ĉ D̂ + β: c ↦ ĉ, and D̂ and β as ends."""

    scaled: Narrow
    ends: Ends


class _Slopes(NamedTuple):
    """The mean Jacobian's parts at every position: J = (straight P − turned n̂ᵀn̂) Γ."""

    n_hat: Float[Tensor, "n s d"]
    straight: Float[Tensor, "n s 1"]
    turned: Float[Tensor, "n s 1"]


@dataclass(frozen=True)
class Norm(Kind):
    """n(f) = a (f P) Γ + β at every position, a = (mean((f P)²) + eps)^-½, Γ = diag(`gain`).

    P takes the mean over the coordinates away where the norm is `centred` (LayerNorm), and does
    nothing where it is not (RMSNorm). With n̂ = a f P the derivative is a (P − n̂ᵀn̂/d) Γ.
    """

    gain: Float[Tensor, " d"]
    bias: Float[Tensor, " d"] | None
    eps: float
    centred: bool

    def centre(self, f: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """Return f P."""
        return f - f.mean(-1, keepdim=True) if self.centred else f

    def variance(self, f: Float[Tensor, "*n d"]) -> Float[Tensor, "*n 1"]:
        """Return mean((f P)²)."""
        return self.centre(f).square().mean(-1, keepdim=True)

    def with_variance(
        self, f: Float[Tensor, "*n d"], variance: Float[Tensor, "*n 1"]
    ) -> Float[Tensor, "*n d"]:
        """Return n(f), of a given variance.

        It is centred last, so that f itself is all that is needed beside the variance.
        """
        return self.scaled(self.centre(f * torch.rsqrt(variance + self.eps)))

    def normalised(
        self, f: Float[Tensor, "*n d"]
    ) -> tuple[Float[Tensor, "*n d"], Float[Tensor, "*n 1"]]:
        """Return n̂ and a."""
        f = self.centre(f)
        a = torch.rsqrt(f.square().mean(-1, keepdim=True) + self.eps)
        return a * f, a

    def scaled(self, n_hat: Float[Tensor, "*n d"], alpha: float = 1.0) -> Float[Tensor, "*n d"]:
        """Return n̂ Γ + α β."""
        return n_hat * self.gain + (0 if self.bias is None else alpha * self.bias)

    def __call__(self, f: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """Return n(f)."""
        return self.scaled(self.normalised(f)[0])

    def projected(self, weight: Float[Tensor, "d h"]) -> Float[Tensor, "d h"]:
        """Return P Γ W: what a move along a coordinate does to n W, for a = 1 and n̂ = 0."""
        weight = self.gain[:, None] * weight
        return weight - weight.mean(0) if self.centred else weight

    @property
    def local(self) -> bool:
        """True: each position is normalised by itself."""
        return True

    def _slopes(self, f: Float[Tensor, "n s d"], rule: Rule) -> _Slopes:
        """Return the Jacobian's parts, averaged along the path.

        At α f the norm's derivative is a_α (P − n̂_αᵀn̂_α/d) Γ with n̂_α = (α a_α / a) n̂: the path
        changes two numbers per position, not their direction.
        """
        n_hat, a = self.normalised(f)
        straight, turned = torch.zeros_like(a), torch.zeros_like(a)
        for alpha, weight in zip(rule.nodes, rule.weights, strict=True):
            a_there = self.normalised(alpha * f)[1]
            straight += weight * a_there
            turned += weight * a_there * (alpha * a_there / a).square() / f.shape[-1]
        return _Slopes(n_hat, straight, turned)

    def second_moment(
        self,
        f: Float[Tensor, "n s d"],
        next_rotation: Float[Tensor, "d r"],
        rule: Rule,
        counted: Bool[Tensor, "n t"] | None = None,
    ) -> Float[Tensor, "d d"]:
        """Return N S · M' = Σ (x C' − y n̂ᵀm) (x C' − y n̂ᵀm)ᵀ, C' = P Γ C and m = n̂ Γ C."""
        n_hat, x, y = (counted_rows(part, counted) for part in self._slopes(f, rule))
        C = next_rotation[:]
        inward, carried = self.projected(C), (n_hat * self.gain) @ C
        cross = (x * y * n_hat).T @ carried @ inward.T
        square = (y.square() * carried.square().sum(1, keepdim=True) * n_hat).T @ n_hat
        total = x.square().sum() * (inward @ inward.T) - cross - cross.T + square
        return exact(total)

    def interactions(self, question: Question) -> Iterator[InteractionMoments]:
        """Yield the moments of A_itj = f̂_tj (x_t u_ji − y_t s_tj v_ti), without forming A.

        u = C⁺ P Γ C, s = n̂ C⁺ᵀ and v = n̂ Γ C, with C⁺ of this layer and C of the next. Their
        squares summed over t are three matrix products, in float64 since they are subtracted.
        """
        readout, C = question.readout, question.readout.rotation[:]
        n_hat, x, y = self._slopes(question.f, question.rule)
        u = exact(question.inverse @ self.projected(C))
        v = exact((n_hat * self.gain) @ C)
        slopes = torch.ones_like(v[..., :1]) if readout.slopes is None else exact(readout.slopes)
        for which, rows, f_hat in question.sources():
            part = u[which]
            along, across = exact(f_hat * x), exact(f_hat * y * (n_hat @ rows.T))
            mixed = (along * across).mT @ (slopes.square() * v)
            square = (along.square().mT @ slopes.square()) * part.square() - 2 * part * mixed
            square = (square + across.square().mT @ (slopes * v).square()).clamp_min_(0)
            signed = ((along.mT @ slopes) * part - across.mT @ (slopes * v)).mean(0)
            mean = square.mean(0)
            deviation = (square - mean).square_().sum(0)
            yield InteractionMoments(len(v), readout.positions, mean, deviation, signed)

    def inside(self, ends: Ends) -> Inside:
        """Return what the norm makes of f = c D + o: ĉ = a [c, 1], D̂ = [D; o] P Γ.

        With a triangular L of [D; o] P = L Q, Q's rows orthonormal, |f P| = |[c, 1] L|: f itself
        is not made if k + 1 < d.
        """
        stacked = self.centre(torch.cat([ends.directions, ends.offset[None]]))
        (k, d), length = stacked.shape, stacked
        if k < d:
            length = torch.linalg.qr(stacked.T, mode="r").R.T

        def scaled(c: Float[Tensor, "n s k"]) -> Float[Tensor, "n s k+1"]:
            c = torch.cat([c, c.new_ones(*c.shape[:-1], 1)], -1)
            return c * torch.rsqrt((c @ length).square().sum(-1, keepdim=True) / d + self.eps)

        beta = stacked.new_zeros(d) if self.bias is None else self.bias
        return Inside(scaled, Ends(stacked * self.gain, beta, ends.toward))

    def narrowed(self, ends: Ends) -> Narrow:
        """Return c ↦ ĉ D̂ R + β R."""
        scaled, inner = self.inside(ends)
        straight = inner.straight()
        return lambda c: straight(scaled(c))
