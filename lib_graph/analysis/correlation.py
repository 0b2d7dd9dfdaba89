"""Correlations between the features of two networks, batch by batch (docs/method.md §14).

Batches are merged as in `lib_graph.method.moments`: no difference of large sums is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.analysis.reopening import Reopened
from lib_graph.building.accumulating import accumulate, mergeable
from lib_graph.building.passes import Passes
from lib_graph.cutting.copies import converted
from lib_graph.method.dictionary import Basis
from lib_graph.method.moments import Spread, counted_rows
from lib_graph.method.network import Batch, Layer
from lib_graph.support import defaults
from lib_graph.support.devices import exact

__all__ = ["CrossMoments", "correlations", "every_pair", "same_column"]

ROUNDING = 8  # of so many units in the last place an activation may be another in another batch

Pairing = Callable[[Tensor, Tensor], Tensor]
"""Which products of two tables of rows are summed: a row each gives the products themselves."""


def every_pair(
    first: Float[Tensor, "rows r"], other: Float[Tensor, "rows q"]
) -> Float[Tensor, "r q"]:
    """Return the products of each column with each, summed over the rows."""
    return first.T @ other


def same_column(
    first: Float[Tensor, "rows r"], other: Float[Tensor, "rows r"]
) -> Float[Tensor, " r"]:
    """Return the products of each column with the same column, summed over the rows."""
    return (first * other).sum(0)


@mergeable
@dataclass(frozen=True)
class CrossMoments:
    """The spread of the features of two streams over the same rows, and of pairs of both.

    `product` is Σ (f̂ − mean)(ĝ − mean) over the `count` rows: of every pair a matrix, of each
    column with the same column a vector. `deviation` and `other_deviation` are those of `Spread`.
    """

    count: int
    mean: Float[Tensor, " r"]
    deviation: Float[Tensor, " r"]
    other_mean: Float[Tensor, " q"]
    other_deviation: Float[Tensor, " q"]
    product: Float[Tensor, ...]

    @classmethod
    def of(
        cls,
        first: Float[Tensor, "n s r"],
        other: Float[Tensor, "n s q"],
        counted: Bool[Tensor, "n s"] | None = None,
        pairing: Pairing = every_pair,
    ) -> CrossMoments:
        """Return the moments of one batch, over the positions that count."""
        one, two = Spread.of(first, counted), Spread.of(other, counted)
        rows = exact(counted_rows(first, counted)) - one.mean
        product = pairing(rows, exact(counted_rows(other, counted)) - two.mean)
        return cls._from(one, two, product)

    @classmethod
    def _from(cls, one: Spread, two: Spread, product: Float[Tensor, ...]) -> CrossMoments:
        return cls(one.count, one.mean, one.deviation, two.mean, two.deviation, product)

    @property
    def first(self) -> Spread:
        """The spread of the first stream's features."""
        return Spread(self.count, self.mean, self.deviation)

    @property
    def other(self) -> Spread:
        """The spread of the other stream's features."""
        return Spread(self.count, self.other_mean, self.other_deviation)

    @property
    def _pairing(self) -> Pairing:
        return every_pair if self.product.ndim == 2 else same_column

    def merge(self, more: CrossMoments) -> CrossMoments:
        """Return the moments of both sets of rows."""
        steps = more.mean - self.mean, more.other_mean - self.other_mean
        weight = self.count * more.count / max(self.count + more.count, 1)
        between = self._pairing(steps[0][None], steps[1][None]) * weight
        return self._from(
            self.first.merge(more.first),
            self.other.merge(more.other),
            self.product + more.product + between,
        )

    @property
    def correlation(self) -> Float[Tensor, ...]:
        """Pearson's r of the pairs; NaN where one of the two has no variance at all.

        >>> x = torch.tensor([[[0.0, 1.0], [2.0, 1.0]], [[0.0, 1.0], [2.0, 1.0]]])
        >>> CrossMoments.of(x, -x).correlation.tolist()
        [[-1.0, nan], [nan, nan]]
        """
        deviations = (spread.sqrt()[None] for spread in (self.deviation, self.other_deviation))
        return (self.product / self._pairing(*deviations)).clamp(-1, 1)


@torch.no_grad()
def correlations(
    first: Reopened,
    other: Reopened,
    passes: Passes,
    memory: int = defaults.MEMORY,
    running: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> dict[str, Float[Tensor, ...]]:
    """Return r of the features of two networks on the data of the first, by the layers of both.

    It is a matrix, a row per feature of `first`; of two raw layers a vector, each output with the
    same output. It is NaN for features that do not vary: whose variance is at most what rounding
    alone makes of it. Constant features are no columns. `memory` is the bytes that this may take;
    while the other network runs, it is in the context `running`.

    Raises what `Network.run` does, and UsageError for too little memory.
    """
    common = {layer.name: layer for layer in other.network.layers}
    pairs = {
        layer.name: (_End(first, layer), _End(other, common[layer.name]))
        for layer in first.network.layers
        if layer.name in common
    }
    inputs = [converted(x, other.dtype) for x in first.subject.inputs]

    def of(batch: Batch, _: int = 1) -> tuple[Spread | CrossMoments, ...]:
        here = torch.arange(batch.start, batch.start + len(batch)) % len(inputs[0])
        with running():
            beside = other.network.run(*(x[here].to(other.device) for x in inputs))
        return tuple(part for ends in pairs.values() for part in _seen(ends, batch, beside))

    samples = first.planned([of], memory, other)
    seen = iter(accumulate(passes, "matching", samples, of))
    found = {}
    for name, ends in pairs.items():
        one, two, features = next(seen), next(seen), next(seen)
        assert isinstance(one, Spread)
        assert isinstance(two, Spread)
        assert isinstance(features, CrossMoments)
        found[name] = _correlation(ends, one, two, features)
    return found


@dataclass(frozen=True)
class _End:
    """A layer of one of the networks."""

    opened: Reopened
    layer: Layer

    @property
    def basis(self) -> Basis:
        return self.opened.bases[self.layer.name]

    def deviation(self, features: Spread, activations: Spread) -> Float[Tensor, " r"]:
        """Return the features' Σ (f̂ − mean)², NaN for those that do not vary.

        Rounding alone gives f̂ = f C a variance of about ε² (E[f̂²] + Σ_d E[f_d²] C_d²).
        """
        square, basis = activations.mean_square, self.basis
        if not basis.raw:
            square = square @ exact(basis.rotation).square().to(square.device)
        unit = ROUNDING * torch.finfo(self.opened.dtype).eps
        constant = features.variance <= unit**2 * (features.mean_square + square)
        return features.deviation.masked_fill(constant, torch.nan)


def _seen(
    ends: tuple[_End, _End], batch: Batch, beside: Batch
) -> tuple[Spread, Spread, CrossMoments]:
    """Return what a batch shows of a layer: both networks' activations, and their features."""
    f = batch.activations[ends[0].layer.index]
    g = beside.activations[ends[1].layer.index]
    one, two = (end.basis for end in ends)
    mask = batch.mask(ends[0].layer)
    pairing = same_column if one.raw and two.raw else every_pair
    features = CrossMoments.of(one.coordinates(f), two.coordinates(g), mask, pairing)
    return Spread.of(f, mask), Spread.of(g, mask), features


def _correlation(ends: tuple[_End, _End], one: Spread, two: Spread, both: CrossMoments) -> Tensor:
    """Return r of the pairs, NaN where one of the two does not vary."""
    deviation = ends[0].deviation(both.first, one)
    other = ends[1].deviation(both.other, two)
    return replace(both, deviation=deviation, other_deviation=other).correlation.cpu()
