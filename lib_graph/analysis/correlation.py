"""Correlations between the features of two networks, batch by batch (docs/method.md §14).

Batches are merged as in `lib_graph.method.moments`: no difference of large sums is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.analysis.reopening import Reopened
from lib_graph.method.dictionary import Basis
from lib_graph.method.moments import Spread, counted_rows
from lib_graph.method.network import Batch, Layer
from lib_graph.support.devices import exact
from lib_graph.support.progress import SILENT, Progress

__all__ = ["CrossMoments", "correlations", "every_pair", "same_column"]

ENTRIES = 1 << 22  # features × positions × samples of a layer that are looked at together
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


@dataclass(frozen=True)
class CrossMoments:
    """The spread of the features of two streams over the same rows, and of pairs of both.

    `product` is Σ (f̂ − mean)(ĝ − mean) over the rows, of the pairs that `pairing` forms.
    """

    first: Spread
    other: Spread
    product: Float[Tensor, ...]
    pairing: Pairing

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
        return cls(one, two, product, pairing)

    def merge(self, more: CrossMoments) -> CrossMoments:
        """Return the moments of both sets of rows."""
        steps = more.first.mean - self.first.mean, more.other.mean - self.other.mean
        counts = self.first.count, more.first.count
        weight = counts[0] * counts[1] / max(sum(counts), 1)
        between = self.pairing(steps[0][None], steps[1][None]) * weight
        return CrossMoments(
            self.first.merge(more.first),
            self.other.merge(more.other),
            self.product + more.product + between,
            self.pairing,
        )

    @property
    def correlation(self) -> Float[Tensor, ...]:
        """Pearson's r of the pairs; NaN where one of the two has no variance at all.

        >>> x = torch.tensor([[[0.0, 1.0], [2.0, 1.0]], [[0.0, 1.0], [2.0, 1.0]]])
        >>> CrossMoments.of(x, -x).correlation.tolist()
        [[-1.0, nan], [nan, nan]]
        """
        deviations = (spread.deviation.sqrt()[None] for spread in (self.first, self.other))
        return (self.product / self.pairing(*deviations)).clamp(-1, 1)


@torch.no_grad()
def correlations(
    first: Reopened, other: Reopened, progress: Progress = SILENT
) -> dict[str, Float[Tensor, ...]]:
    """Return r of the features of two networks on the same data, by the layers that both have.

    It is a matrix, a row per feature of `first`; of two raw layers a vector, each output with the
    same output. It is NaN for features that do not vary: whose variance is at most what rounding
    alone makes of it. Constant features are no columns. Memory does not grow with the data.

    Raises what `Network.run` does.
    """
    common = {layer.name: layer for layer in other.network.layers}
    pairs = {
        layer.name: (_End(first, layer), _End(other, common[layer.name]))
        for layer in first.network.layers
        if layer.name in common
    }
    seen: dict[str, _Seen] = {}
    size = max(1, ENTRIES // max(first.entries, other.entries))
    with progress.stage("matching", len(first.subject.inputs[0])) as advance:
        for batches in zip(first.batches(size), other.batches(size), strict=True):
            for name, ends in pairs.items():
                here = _Seen.of(ends, batches)
                seen[name] = seen[name].merge(here) if name in seen else here
            advance(len(batches[0]))
    return {name: seen[name].correlation(ends) for name, ends in pairs.items()}


@dataclass(frozen=True)
class _End:
    """A layer of one of the networks."""

    opened: Reopened
    layer: Layer

    @property
    def basis(self) -> Basis:
        return self.opened.bases[self.layer.name]

    def varying(self, features: Spread, activations: Spread) -> Spread:
        """Return the spread of the features, NaN for those that do not vary.

        Rounding alone gives f̂ = f C a variance of about ε² (E[f̂²] + Σ_d E[f_d²] C_d²).
        """
        square, basis = activations.mean_square, self.basis
        if not basis.raw:
            square = square @ basis.rotation.double().square()
        unit = ROUNDING * torch.finfo(self.opened.dtype).eps
        constant = features.variance <= unit**2 * (features.mean_square + square)
        return replace(features, deviation=features.deviation.masked_fill(constant, torch.nan))


@dataclass(frozen=True)
class _Seen:
    """What some data show of a layer: the activations of both networks, and their features."""

    activations: tuple[Spread, Spread]
    features: CrossMoments

    @classmethod
    def of(cls, ends: tuple[_End, _End], batches: tuple[Batch, Batch]) -> _Seen:
        """Return what one batch shows."""
        f, g = (
            batch.activations[end.layer.index] for end, batch in zip(ends, batches, strict=True)
        )
        one, two = (end.basis for end in ends)
        mask = batches[0].mask(ends[0].layer)
        pairing = same_column if one.raw and two.raw else every_pair
        features = CrossMoments.of(one.coordinates(f), two.coordinates(g), mask, pairing)
        return cls((Spread.of(f, mask), Spread.of(g, mask)), features)

    def merge(self, more: _Seen) -> _Seen:
        """Return what both sets of data show."""
        one, two = self.activations
        merged = one.merge(more.activations[0]), two.merge(more.activations[1])
        return _Seen(merged, self.features.merge(more.features))

    def correlation(self, ends: tuple[_End, _End]) -> Float[Tensor, ...]:
        """Return r of the pairs, NaN where one of the two does not vary."""
        one, two = self.activations
        first = ends[0].varying(self.features.first, one)
        other = ends[1].varying(self.features.other, two)
        return replace(self.features, first=first, other=other).correlation
