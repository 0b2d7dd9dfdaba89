"""How often each feature of a run takes which values (docs/method.md §10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lib_graph.analysis.reopening import Reopened
from lib_graph.building.accumulating import mergeable
from lib_graph.building.job import first_samples
from lib_graph.method.basis import LayerBasis
from lib_graph.method.dictionary import Basis, Dictionary
from lib_graph.method.moments import Spread, counted_rows
from lib_graph.method.network import Layer
from lib_graph.run import Run
from lib_graph.run.histograms import BINS
from lib_graph.support.devices import exact

__all__ = ["Bins", "Counts", "bins_of", "histogram_frame"]

PER_DEVIATION = 4  # bins
# activations of which nothing is below 0, but for a jumprelu whose threshold is
ONE_SIDED = ("relu", "jumprelu", "topk", "groupmax")


@dataclass(frozen=True)
class Bins:
    """Where the bins of each feature of a layer begin, and how wide they are: BINS of each."""

    start: Float[Tensor, " r"]
    width: Float[Tensor, " r"]


@mergeable
@dataclass(frozen=True)
class Counts:
    """How many values of each feature are below its bins, in each of them, and above them."""

    counts: Int[Tensor, "r bins+2"]

    @classmethod
    def of(
        cls, features: Float[Tensor, "n s r"], counted: Bool[Tensor, "n s"] | None, bins: Bins
    ) -> Counts:
        """Return the counts of one batch, over the positions that count.

        >>> one = Bins(torch.tensor([-1.0]), torch.tensor([0.5]))
        >>> counts = Counts.of(torch.tensor([[[-2.0], [-1.0], [0.2], [99.0]]]), None, one).counts
        >>> [(i, n) for i, n in enumerate(counts[0].tolist()) if n]
        [(0, 1), (1, 1), (3, 1), (42, 1)]
        """
        rows = exact(counted_rows(features, counted))
        start, width = bins.start.to(rows.device), bins.width.to(rows.device)
        slots = ((rows - start) / width).floor_().clamp_(-1, BINS).long() + 1
        slots += torch.arange(rows.shape[1], device=rows.device) * (BINS + 2)
        size = rows.shape[1] * (BINS + 2)
        return cls(torch.bincount(slots.flatten(), minlength=size).view(-1, BINS + 2))

    def merge(self, other: Counts) -> Counts:
        """Return the counts of both sets of values."""
        return Counts(self.counts + other.counts)


@torch.no_grad()
def bins_of(run: Run, opened: Reopened) -> dict[str, Bins]:
    """Return the bins of all layers: they are the same whatever the batches.

    A bin is a quarter of the feature's standard deviation wide, or 1 where that is 0. The middle
    one is about 0 where the basis is centred, and else about the mean over a few samples; those of
    dictionaries and transcoders whose features are not negative begin at 0, and so does that of a
    transcoder's error, which is a size.
    """
    counted = opened.subject.counted
    mask = None if counted is None else first_samples(counted).to(opened.device)
    few = replace(opened.network.run(*opened.example), counted=mask)
    one_sided = all(each.activation in ONE_SIDED for each in opened.subject.stand_ins.values())
    found = {}
    for layer in opened.network.layers:
        basis = opened.bases[layer.name]
        width = _widths(run, layer.name, basis)
        features = basis.coordinates(few.activations[layer.index])
        start = Spread.of(features, few.mask(layer)).mean.cpu() - width * (BINS / 2)
        if isinstance(basis, LayerBasis):
            start = -width * (BINS / 2)
        elif isinstance(basis, Dictionary) and basis.activation in ONE_SIDED:
            start = torch.zeros_like(width)
        if layer.transcoded is not None and one_sided:
            start[: layer.transcoded.own] = 0.0
        found[layer.name] = Bins(start, width)
    return found


def _widths(run: Run, layer: str, basis: Basis) -> Float[Tensor, " r"]:
    rows = run.features[run.features["layer"] == layer].sort_values("index")
    variance = torch.tensor(rows["variance"].to_numpy()[-basis.features :], dtype=torch.float64)
    return torch.where(variance > 0, variance.sqrt() / PER_DEVIATION, 1.0)


def histogram_frame(
    run: Run, layer: Layer, basis: Basis, bins: Mapping[str, Bins], counts: Counts
) -> pd.DataFrame:
    """Return a row for each feature of a layer, with the columns of `run.histograms`."""
    numbers = counts.counts.numpy()
    first = 0 if basis.raw else 1
    return pd.DataFrame(
        {
            "run": run.id,
            "layer": layer.name,
            "index": range(first, first + len(numbers)),
            "start": bins[layer.name].start.numpy(),
            "width": bins[layer.name].width.numpy(),
            "below": numbers[:, 0],
            "above": numbers[:, -1],
            "counts": list(numbers[:, 1:-1]),
        }
    )
