"""What a feature stands for: for modular addition, its dominant Fourier frequency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["FourierLabeller", "Label", "Labeller", "all_triples"]

CONSTANT = 1e-12  # of a feature's mean square: less variance is the rounding of float32


@dataclass(frozen=True)
class Label:
    """A feature's label and the share of the feature's variance that it explains."""

    text: str
    score: float


class Labeller(Protocol):
    """Names features by what they do on inputs of the labeller's choice."""

    @property
    def inputs(self) -> Tensor:
        """What to run the network on."""
        ...

    def __call__(self, features: Float[Tensor, "n s r"]) -> list[Label | None]:
        """Return a label, or None, for each feature, given its values on `inputs`."""
        ...


@dataclass(frozen=True)
class FourierLabeller:
    """Labels the features of a network for (a + b) mod p by their dominant frequency.

    `inputs` are all p² triples (a, b, =), row-major in (a, b). Of a feature's two-dimensional
    Fourier transform over (a, b), power summed over positions, mean removed, the score is the share
    in terms whose two frequencies are in {0, ±k}, for the best k (docs/method.md §7).
    """

    modulus: int

    @property
    def inputs(self) -> Tensor:
        """All p² triples (a, b, p): p stands for the equals sign."""
        return all_triples(self.modulus)

    def __call__(self, features: Float[Tensor, "n s r"]) -> list[Label | None]:
        """Return the label `k=…` of each feature; None for one that is constant.

        >>> a, b = FourierLabeller(5).inputs[:, :2].T
        >>> wave = torch.cos(2 * torch.pi * 2 * (a + b) / 5)[:, None, None]
        >>> [label.text for label in FourierLabeller(5)(wave)]
        ['k=2']
        """
        p = self.modulus
        grid = features.double().reshape(p, p, *features.shape[1:])
        power = sum(  # p p r; one position at a time, for memory
            (torch.fft.fft2(at, dim=(0, 1)).abs().square_() for at in grid.unbind(2)),
            start=torch.zeros(()),
        )
        total = grid.square().sum((0, 1, 2)) * p**2
        power[0, 0] = 0
        scores = torch.stack([_power_at(power, k) for k in range(1, p // 2 + 1)])
        varying = power.sum((0, 1))
        best, frequency = (scores / varying).max(0)
        return [
            Label(f"k={int(k) + 1}", float(score)) if float(v) > CONSTANT * float(t) else None
            for k, score, v, t in zip(frequency, best, varying, total, strict=True)
        ]


def _power_at(power: Float[Tensor, "p p r"], k: int) -> Float[Tensor, " r"]:
    """Return the power in terms whose two frequencies are in {0, k, −k}."""
    terms = torch.tensor(sorted({0, k, len(power) - k}))
    return power[terms][:, terms].sum((0, 1))


def all_triples(modulus: int) -> Tensor:
    """Return all (a, b, modulus), row-major in (a, b), p² × 3.

    >>> all_triples(2).tolist()
    [[0, 0, 2], [0, 1, 2], [1, 0, 2], [1, 1, 2]]
    """
    numbers = torch.arange(modulus)
    pairs = torch.cartesian_prod(numbers, numbers)
    return torch.cat([pairs, torch.full((len(pairs), 1), modulus)], 1)
