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
    """A feature's label and the share of the feature's variance that it explains.

    The name of an output, a token or a class, explains nothing: its score is None.
    """

    text: str
    score: float | None = None


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
        p, values = self.modulus, features.double()
        best, frequency = _power(values, p).max(0)
        variance, mean = torch.var_mean(values, 0, correction=0)
        varying = variance.sum(0) * p**4
        total = varying + mean.square().sum(0) * p**4
        return [
            Label(f"k={int(k) + 1}", float(most / v)) if float(v) > CONSTANT * float(t) else None
            for k, most, v, t in zip(frequency, best, varying, total, strict=True)
        ]


def _power(features: Float[Tensor, "n s r"], p: int) -> Float[Tensor, "k r"]:
    """Return the power in terms whose two frequencies are in {0, ±k}, for k from 1 to p/2.

    A term (u k, v k) is the frequency k of the sums over all (a, b) with the same u a + v b: of
    rows, columns and both kinds of diagonals. Each stands for its negative too.
    """
    a, b = all_triples(p)[:, :2].T
    frequencies = slice(1, p // 2 + 1)
    twice = torch.full((p // 2, 1), 2.0, dtype=features.dtype)
    across = twice.clone()
    if p % 2 == 0:  # then −k is k, and both diagonals are the same
        twice[-1], across[-1] = 1, 0
    power = torch.zeros(p // 2, features.shape[-1], dtype=features.dtype)
    for turns, times in ((a, twice), (b, twice), (a + b, twice), (a - b, across)):
        sums = features.new_zeros(p, *features.shape[1:]).index_add_(0, turns % p, features)
        power += times * torch.fft.rfft(sums, dim=0)[frequencies].abs().square().sum(1)
    return power


def all_triples(modulus: int) -> Tensor:
    """Return all (a, b, modulus), row-major in (a, b), p² × 3.

    >>> all_triples(2).tolist()
    [[0, 0, 2], [0, 1, 2], [1, 0, 2], [1, 1, 2]]
    """
    numbers = torch.arange(modulus)
    pairs = torch.cartesian_prod(numbers, numbers)
    return torch.cat([pairs, torch.full((len(pairs), 1), modulus)], 1)
