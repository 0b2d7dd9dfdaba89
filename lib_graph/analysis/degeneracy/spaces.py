"""The directions of a linear map's inputs and results that matter.

A change δW of a map x ↦ x W + b changes no result, to first order, if δW and δb vanish on all x of
the data, or if nobody reads the direction in which the result moves. With x spanning r directions
about its mean and q directions read, (r + 1) q of the (d + 1) e parameters matter; the others are
free (docs/method.md, Degeneracy).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.method.moments import Moments

__all__ = ["Space", "span_of"]


@dataclass(frozen=True)
class Space:
    """The directions of a space that matter: `rank` of `width`; `null` spans the others."""

    width: int
    rank: int
    null: Float[Tensor, "width free"]

    @classmethod
    def of(cls, moment: Float[Tensor, "d d"], tau: float) -> Space:
        """Return the span of a second moment: eigenvalues above `tau` times the largest."""
        values, vectors = torch.linalg.eigh(moment.double())
        null = values <= tau * values[-1].clamp_min(0)
        return cls(len(values), int((~null).sum()), vectors[:, null])

    @classmethod
    def whole(cls, width: int) -> Space:
        """Return all of a space."""
        return cls(width, width, torch.zeros(width, 0, dtype=torch.float64))

    @property
    def projector(self) -> Float[Tensor, "width width"]:
        """The projector to the directions that matter."""
        return torch.eye(self.width, dtype=torch.float64) - self.null @ self.null.T


def span_of(moments: Moments, bias: Tensor | None, tau: float) -> Space:
    """Return the directions of a map's inputs that matter: with a bias, about their mean."""
    about_mean = moments.covariance
    if bias is not None:
        return Space.of(about_mean, tau)
    return Space.of(about_mean + torch.outer(moments.mean, moments.mean), tau)
