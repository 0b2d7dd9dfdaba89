"""LayerNorm and RMSNorm, as parts of a section that say what their derivative is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Norm"]


@dataclass(frozen=True)
class Norm:
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
