"""The inputs on which each feature of a run is largest."""

from __future__ import annotations

import io
from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lib_graph.analysis.reopening import Reopened, reopened_network
from lib_graph.errors import UsageError
from lib_graph.method.dictionary import Basis
from lib_graph.method.network import Layer
from lib_graph.networks import Subject
from lib_graph.run import Run
from lib_graph.run.examples import NAME, read_examples, write_examples
from lib_graph.run.kept import graph_of, up_to_date
from lib_graph.support import defaults
from lib_graph.support.files import locked
from lib_graph.support.progress import SILENT, Progress

__all__ = ["find_examples"]

ENTRIES = 1 << 24  # features × positions × samples that are looked at together


def find_examples(
    run: Run,
    subject: Subject | None = None,
    *,
    count: int = defaults.EXAMPLES,
    replace: bool = False,
    progress: Progress = SILENT,
) -> pd.DataFrame:
    """Return the examples of all features, written to examples.parquet in the run's folder.

    Of every feature, the `count` samples with the largest values above 0 and the `count` with the
    most negative ones, each at the position where it is largest: signs of LIB and PCA features are
    arbitrary, so both ends tell something. The columns are those of `lib_graph.run.examples`.
    `subject` is needed where the network was built from a module of a Python session. Examples
    that are there already are not looked for again.

    Raises UsageError for a trace or a count below 1, ConflictError if the folder holds others and
    not `replace`, and what `reopened_network` does.
    """
    if count < 1:
        raise UsageError(f"{count} examples cannot be found. Ask for at least 1.")
    if run.manifest.base is not None:
        raise UsageError(f"Run {run.id} is a trace: its features are those of {run.manifest.base}.")
    path = run.path / NAME
    origin = {**graph_of(run, "run", "bases"), "count": count}
    if up_to_date([path], origin, replace=replace, progress=progress):
        return read_examples(run)
    opened = reopened_network(run, subject)
    ends = _ends(opened, count, progress)
    written = _Written(opened.subject)
    frames = [
        _frame(run, layer, ends[layer.name], opened.bases[layer.name], written)
        for layer in opened.network.layers
    ]
    with locked(run.path):
        write_examples(path, frames, origin)
    return read_examples(run)


@dataclass(frozen=True)
class _Top:
    """Of every feature the samples with the largest values, descending, and where in them."""

    values: Float[Tensor, "k r"]
    samples: Int[Tensor, "k r"]
    positions: Int[Tensor, "k r"]

    @classmethod
    def of(
        cls, features: Float[Tensor, "n s r"], counted: Bool[Tensor, "n s"] | None, first: int
    ) -> _Top:
        """Return those of a batch whose first sample is number `first`, in no order."""
        if counted is not None:
            features = features.masked_fill(~counted[..., None], -torch.inf)
        values, positions = features.max(1)
        samples = torch.arange(first, first + len(values))[:, None].expand_as(values)
        return cls(values, samples, positions)

    def best(self, count: int) -> _Top:
        """Return the `count` largest, descending; of equal ones, the earlier samples."""
        order = self.values.sort(stable=True, dim=0, descending=True).indices[:count]
        return _Top(*(x.gather(0, order) for x in (self.values, self.samples, self.positions)))

    def merge(self, other: _Top) -> _Top:
        """Return both."""
        return _Top(
            torch.cat([self.values, other.values]),
            torch.cat([self.samples, other.samples]),
            torch.cat([self.positions, other.positions]),
        )


@torch.no_grad()
def _ends(opened: Reopened, count: int, progress: Progress) -> dict[str, tuple[_Top, _Top]]:
    """Return, per layer, the largest f̂ and the largest −f̂ of every feature."""
    ends: dict[str, tuple[_Top, _Top]] = {}
    with progress.stage("examples", len(opened.subject.inputs[0])) as advance:
        for batch in opened.batches(max(1, ENTRIES // opened.entries)):
            for layer in opened.network.layers:
                features = opened.bases[layer.name].coordinates(batch.activations[layer.index])
                mask = batch.mask(layer)
                up, down = (_Top.of(x, mask, batch.start) for x in (features, -features))
                if layer.name in ends:
                    up, down = ends[layer.name][0].merge(up), ends[layer.name][1].merge(down)
                ends[layer.name] = up.best(count), down.best(count)
            advance(len(batch))
    return ends


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
    run: Run, layer: Layer, ends: tuple[_Top, _Top], basis: Basis, written: _Written
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
