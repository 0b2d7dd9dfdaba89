"""Means and second moments of a stream, batch by batch, in float64 (docs/method.md §2).

Batches are merged by the update of Chan, Golub and LeVeque: no difference of large sums is taken,
so the result does not depend on the batches beyond rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.support.devices import exact

__all__ = ["InteractionMoments", "Moments", "Spread", "counted_rows"]


def counted_rows(
    values: Float[Tensor, "n s d"], counted: Bool[Tensor, "n s"] | None = None
) -> Float[Tensor, "rows d"]:
    """Return a row per sample and position, of those positions that count (None: all do)."""
    return values.flatten(0, -2) if counted is None else values[counted]


def _mean(rows: Float[Tensor, "rows d"]) -> Float[Tensor, " d"]:
    """Return the mean of rows; of none, as where no position of a batch counts, zeros."""
    return rows.mean(0) if len(rows) else rows.new_zeros(rows.shape[1])


def _share(part: int, more: int) -> float:
    """Return more / (part + more): how far a mean over part moves to that over more."""
    return more / (part + more) if more else 0.0


@dataclass(frozen=True)
class Moments:
    """Mean and Gram matrix of activations over samples and positions.

    `gram` is Σ (f − mean)ᵀ(f − mean) over the `count` rows; `covariance` divides by their number.
    """

    count: int
    mean: Float[Tensor, " d"]
    gram: Float[Tensor, "d d"]

    @classmethod
    def of(
        cls, activations: Float[Tensor, "n s d"], counted: Bool[Tensor, "n s"] | None = None
    ) -> Moments:
        """Return the moments of one batch, over the positions that count.

        >>> moments = Moments.of(torch.tensor([[[0.0, 1.0]], [[2.0, 3.0]]]))
        >>> moments.mean.tolist(), moments.covariance.tolist()
        ([1.0, 2.0], [[1.0, 1.0], [1.0, 1.0]])
        """
        rows = exact(counted_rows(activations, counted))
        mean = _mean(rows)
        rows = rows - mean
        return cls(len(rows), mean, rows.T @ rows)

    def merge(self, other: Moments) -> Moments:
        """Return the moments of both sets of rows."""
        share = _share(self.count, other.count)
        step = other.mean - self.mean
        between = torch.outer(step, step) * (self.count * share)
        return Moments(
            self.count + other.count, self.mean + step * share, self.gram + other.gram + between
        )

    def part(self, coordinates: slice) -> Moments:
        """Return the moments of some of the coordinates."""
        gram = self.gram[coordinates, coordinates]
        return Moments(self.count, self.mean[coordinates], gram)

    @property
    def covariance(self) -> Float[Tensor, "d d"]:
        """G = E[(f − μ)ᵀ(f − μ)]."""
        return self.gram / self.count

    @property
    def variance(self) -> Float[Tensor, " d"]:
        """The diagonal of G."""
        return self.covariance.diagonal()


@dataclass(frozen=True)
class Spread:
    """Mean and variance of each feature by itself, over the samples and positions that count.

    `deviation` is Σ (f̂ − mean)² over the `count` rows.
    """

    count: int
    mean: Float[Tensor, " r"]
    deviation: Float[Tensor, " r"]

    @classmethod
    def of(
        cls, features: Float[Tensor, "n s r"], counted: Bool[Tensor, "n s"] | None = None
    ) -> Spread:
        """Return the spread of one batch, over the positions that count.

        >>> spread = Spread.of(torch.tensor([[[0.0, 1.0]], [[2.0, 1.0]]]))
        >>> spread.variance.tolist(), spread.mean_square.tolist()
        ([1.0, 0.0], [2.0, 1.0])
        """
        rows = exact(counted_rows(features, counted))
        mean = _mean(rows)
        return cls(len(rows), mean, (rows - mean).square_().sum(0))

    def merge(self, other: Spread) -> Spread:
        """Return the spread of both sets of rows."""
        share = _share(self.count, other.count)
        step = other.mean - self.mean
        between = step.square() * (self.count * share)
        deviation = self.deviation + other.deviation + between
        return Spread(self.count + other.count, self.mean + step * share, deviation)

    @property
    def variance(self) -> Float[Tensor, " r"]:
        """E[(f̂ − E f̂)²]."""
        return self.deviation / self.count

    @property
    def mean_square(self) -> Float[Tensor, " r"]:
        """E[f̂²]."""
        return self.variance + self.mean.square()


@dataclass(frozen=True)
class InteractionMoments:
    """What interaction strengths and their errors are made of, for pairs (source, target).

    Per sample x and pair: q_x = Σ_t A² and a_x = Σ_t A, with A the attribution of docs/method.md
    §4. Held are their means over x, `square` and `signed`, and `deviation` Σ_x (q_x − mean q)².
    `count` is the number N of samples, `positions` that of the input positions N S that count.
    """

    count: int
    positions: int
    square: Float[Tensor, "r next_r"]
    deviation: Float[Tensor, "r next_r"]
    signed: Float[Tensor, "r next_r"]

    @classmethod
    def of(cls, attributions: Float[Tensor, "r n t next_r"], positions: int) -> InteractionMoments:
        """Return the moments of one batch in which `positions` input positions count."""
        count = attributions.shape[1]
        square = _over_positions(attributions.square())
        mean = _over_samples(square) / count
        deviation = _over_samples(square.sub_(mean.to(square)[:, None]).square_())
        signed = _over_samples(_over_positions(attributions)) / count
        return cls(count, positions, mean, deviation, signed)

    @classmethod
    def stack(cls, parts: Sequence[InteractionMoments]) -> InteractionMoments:
        """Return the moments of all sources, given those of some each."""
        return cls(
            parts[0].count,
            parts[0].positions,
            torch.cat([part.square for part in parts]),
            torch.cat([part.deviation for part in parts]),
            torch.cat([part.signed for part in parts]),
        )

    @classmethod
    def filled(
        cls, shape: tuple[int, int], parts: Iterable[InteractionMoments], axis: int = 0
    ) -> InteractionMoments:
        """Return the moments of all pairs from those of some sources (axis 0) or targets (1) each.

        No part is held while the next is made: small results that stay among large temporaries
        break the heap up, until it is several times as large as what is in use.
        """
        whole, done = None, 0
        for part in parts:
            if whole is None:
                tables = [table.new_empty(shape) for table in part._tables]
                whole = cls(part.count, part.positions, *tables)
            length = part.square.shape[axis]
            for table, some in zip(whole._tables, part._tables, strict=True):
                table.narrow(axis, done, length).copy_(some)
            done += length
            del part
        assert whole is not None
        assert done == shape[axis]
        return whole

    @property
    def _tables(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.square, self.deviation, self.signed

    def merge(self, other: InteractionMoments) -> InteractionMoments:
        """Return the moments of both sets of samples."""
        count = self.count + other.count
        share = other.count / count
        step = other.square - self.square
        return InteractionMoments(
            count,
            self.positions + other.positions,
            self.square + step * share,
            self.deviation + other.deviation + step.square() * (self.count * share),
            self.signed + (other.signed - self.signed) * share,
        )

    @property
    def strength(self) -> Float[Tensor, "r next_r"]:
        """E = Σ_x Σ_t A² / (N S)."""
        return self.square * (self.count / self.positions)

    @property
    def effect(self) -> Float[Tensor, "r next_r"]:
        """The signed mean Σ_x Σ_t A / (N S)."""
        return self.signed * (self.count / self.positions)

    @property
    def stderr(self) -> Float[Tensor, "r next_r"]:
        """Standard error of the strength over x (ddof 1); NaN for a single sample."""
        if self.count < 2:
            return torch.full_like(self.square, torch.nan)
        error = (self.deviation / (self.count - 1) / self.count).sqrt()
        return error * (self.count / self.positions)


def _over_positions(values: Float[Tensor, "r n t next_r"]) -> Float[Tensor, "r n next_r"]:
    return values.squeeze(2) if values.shape[2] == 1 else values.sum(2)


def _over_samples(values: Float[Tensor, "r n next_r"]) -> Float[Tensor, "r next_r"]:
    """Return the sum in float64, which the device must have for it not to need a copy."""
    if values.device.type == "mps":
        values = exact(values)
    return values.sum(1, dtype=torch.float64)
