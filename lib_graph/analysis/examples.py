"""The inputs on which each feature of a run is largest, and how often it takes which values."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lib_graph.analysis.histograms import Bins, Counts, bins_of, histogram_frame
from lib_graph.analysis.reopening import Reopened, passes_of, reopened_network
from lib_graph.building.accumulating import accumulate, mergeable
from lib_graph.building.passes import Passes
from lib_graph.errors import UsageError
from lib_graph.method.dictionary import Basis
from lib_graph.method.network import Batch, Layer
from lib_graph.networks import Subject
from lib_graph.run import Run
from lib_graph.run.examples import NAME, read_examples, write_examples
from lib_graph.run.histograms import BINS, write_histograms
from lib_graph.run.histograms import NAME as HISTOGRAMS
from lib_graph.run.kept import graph_of, up_to_date
from lib_graph.support import defaults
from lib_graph.support.arguments import checked
from lib_graph.support.devices import sums_on
from lib_graph.support.files import locked
from lib_graph.support.progress import USUAL, Progress

__all__ = ["find_examples"]


@checked
def find_examples(
    run: Run,
    subject: Subject | None = None,
    *,
    count: int = defaults.EXAMPLES,
    replace: bool = False,
    memory: int = defaults.MEMORY,
    device: str = defaults.DEVICE,
    progress: Progress = USUAL,
) -> pd.DataFrame:
    """Return the examples of all features, written to examples.parquet in the run's folder.

    Of every feature, the `count` samples with the largest values above 0 and the `count` with the
    most negative ones, each at the position where it is largest: signs of LIB and PCA features are
    arbitrary, so both ends tell something. The columns are those of `lib_graph.run.examples`.
    The same pass counts the values of all features into histograms.parquet
    (`lib_graph.run.histograms`, docs/method.md §10).

    `subject` is needed where the network was built from a module of a Python session. Examples
    that are there already are not looked for again. `memory` is the bytes that this may take; where
    it was cut off, it goes on.

    Raises UsageError for a trace, a count below 1 or too little memory, ConflictError if the folder
    holds others and not `replace`, and what `reopened_network` does.
    """
    if count < 1:
        raise UsageError(f"{count} examples cannot be found. Ask for at least 1.")
    if run.manifest.base is not None:
        raise UsageError(f"Run {run.id} is a trace: its features are those of {run.manifest.base}.")
    path, beside = run.path / NAME, run.path / HISTOGRAMS
    origin = {**graph_of(run, "run", "bases"), "count": count}
    if up_to_date([path, beside], origin, replace=replace, progress=progress):
        return read_examples(run)
    opened = reopened_network(run, subject, device=device, progress=progress, derivatives=False)
    passes = passes_of(run, "examples", {**origin, "bins": BINS}, progress)
    bins = bins_of(run, opened)
    found = _found(opened, bins, count, memory, passes)
    written = _Written(opened.subject)
    frames = [
        _frame(run, layer, found[layer.name].ends, opened.bases[layer.name], written)
        for layer in opened.network.layers
    ]
    histograms = [
        histogram_frame(run, layer, opened.bases[layer.name], bins, found[layer.name].counts)
        for layer in opened.network.layers
    ]
    with locked(run.path):
        write_examples(path, frames, origin)
        write_histograms(beside, histograms, origin)
    passes.close()
    return read_examples(run)


@mergeable
@dataclass(frozen=True)
class Top:
    """Of every feature the samples with the largest values, descending, and where in them.

    Where there are not k samples, the values at the end are −∞.
    """

    values: Float[Tensor, "k r"]
    samples: Int[Tensor, "k r"]
    positions: Int[Tensor, "k r"]

    @classmethod
    def of(
        cls,
        features: Float[Tensor, "n s r"],
        counted: Bool[Tensor, "n s"] | None,
        first: int,
        count: int,
    ) -> Top:
        """Return the `count` largest of a batch whose first sample is number `first`.

        >>> top = Top.of(torch.tensor([[[1.0], [3.0]], [[2.0], [0.0]]]), None, 7, 3)
        >>> top.values.T.tolist(), top.samples.T.tolist(), top.positions.T.tolist()
        ([[3.0, 2.0, -inf]], [[7, 8, 0]], [[1, 0, 0]])
        """
        if counted is not None:
            features = features.masked_fill(~counted[..., None], -torch.inf)
        values, positions = (x.to(sums_on(x.device)) for x in features.max(1))
        samples = torch.arange(first, first + len(values), device=values.device)
        found = cls(values, samples[:, None].expand_as(values), positions)
        none = values.new_full((count, values.shape[1]), -torch.inf)
        nowhere = torch.zeros_like(none, dtype=torch.long)
        return cls(none, nowhere, nowhere).merge(found)

    def merge(self, other: Top) -> Top:
        """Return as many, the largest of both; of equal ones, those of the first."""
        values = torch.cat([self.values, other.values])
        order = values.sort(stable=True, dim=0, descending=True).indices[: len(self.values)]
        samples = torch.cat([self.samples, other.samples])
        positions = torch.cat([self.positions, other.positions])
        return Top(*(x.gather(0, order) for x in (values, samples, positions)))


class _Found(NamedTuple):
    """Of every feature of a layer the largest f̂ and the largest −f̂, and how many are where."""

    ends: tuple[Top, Top]
    counts: Counts


@torch.no_grad()
def _found(
    opened: Reopened, bins: Mapping[str, Bins], count: int, memory: int, passes: Passes
) -> dict[str, _Found]:
    """Return what one pass over the data finds, per layer."""
    layers = opened.network.layers
    most = min(count, len(opened.subject.inputs[0]))

    def of(batch: Batch, _: int = 1) -> tuple[Top | Counts, ...]:
        found: list[Top | Counts] = []
        for layer in layers:
            features = opened.bases[layer.name].coordinates(batch.activations[layer.index])
            mask = batch.mask(layer)
            found += [Top.of(x, mask, batch.start, most) for x in (features, -features)]
            found.append(Counts.of(features, mask, bins[layer.name]))
        return tuple(found)

    parts: Any = accumulate(passes, "examples", opened.planned([of], memory), of)
    each = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    return {
        layer.name: _Found((up, down), counts)
        for layer, (up, down, counts) in zip(layers, each, strict=True)
    }


class _Written:
    """Samples as text and picture, each made once."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._texts: dict[tuple[int, int | None], str] = {}
        self._images: dict[int, bytes | None] = {}

    def text(self, sample: int, position: int | None) -> str:
        key = (sample, position)
        if key not in self._texts:
            notation = self._subject.notation
            self._texts[key] = notation.write(self._subject.sample(sample), position)
        return self._texts[key]

    def image(self, sample: int) -> bytes | None:
        if sample not in self._images:
            pixels = self._subject.notation.picture(self._subject.sample(sample))
            self._images[sample] = None if pixels is None else _png(pixels)
        return self._images[sample]


def _png(pixels: Tensor) -> bytes:
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(file, pixels.expand(-1, -1, 3).contiguous().numpy(), format="png")
    return file.getvalue()


def _frame(
    run: Run, layer: Layer, ends: tuple[Top, Top], basis: Basis, written: _Written
) -> pd.DataFrame:
    """Return the examples of one layer, by feature and rank."""
    rows = []
    for feature in range(basis.features):
        for sign, top in zip((1, -1), ends, strict=True):
            columns = (x[:, feature].tolist() for x in (top.values, top.samples, top.positions))
            for rank, (value, sample, place) in enumerate(zip(*columns, strict=True), 1):
                if value <= 0:
                    break
                position = None if layer.positions == 1 else place
                rows.append(
                    (
                        run.id,
                        layer.name,
                        feature + (0 if basis.raw else 1),
                        sign * rank,
                        sample,
                        position,
                        sign * value,
                        written.text(sample, position),
                        written.image(sample),
                    )
                )
    names = ("run", "layer", "index", "rank", "sample", "position", "value", "text", "image")
    return pd.DataFrame(rows, columns=names).astype({"position": "Int32"})
