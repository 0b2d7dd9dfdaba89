"""The interaction strengths of a run for each sample by itself (docs/method.md §18)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lib_graph.analysis.reopening import Reopened, passes_of
from lib_graph.building.accumulating import accumulate, mergeable
from lib_graph.errors import UsageError
from lib_graph.method.dictionary import most_important
from lib_graph.method.network import Batch, Section
from lib_graph.method.per_sample import sample_squares
from lib_graph.method.rules import Rule
from lib_graph.run import Run
from lib_graph.run.kept import graph_of
from lib_graph.support import defaults
from lib_graph.support.progress import SILENT, Progress
from lib_graph.support.sparsity import Floats

__all__ = ["SampleStrengths", "SectionStrengths", "strengths_of_samples"]


@mergeable
@dataclass(frozen=True)
class SampleStrengths:
    """Σ_t A_itj² of each sample, what one random probe makes of it, and the positions it has."""

    exact: Float[Tensor, "n r next_r"]
    probed: Float[Tensor, "n r next_r"]
    positions: Int[Tensor, " n"]

    def merge(self, other: SampleStrengths) -> SampleStrengths:
        """Return those of both sets of samples."""
        names = ("exact", "probed", "positions")
        return SampleStrengths(
            *(torch.cat([getattr(self, name), getattr(other, name)]) for name in names)
        )


class SectionStrengths(NamedTuple):
    """What the samples give of one section, named by its source layer: n × r × r'."""

    layer: str
    exact: Floats
    probed: Floats
    positions: np.ndarray[tuple[int], np.dtype[np.int64]]


def strengths_of_samples(
    run: Run,
    opened: Reopened,
    *,
    top: int | None = None,
    chosen: Int[Tensor, " n"] | None = None,
    raw: bool = True,
    memory: int = defaults.MEMORY,
    progress: Progress = SILENT,
) -> Iterator[SectionStrengths]:
    """Yield the strengths of each sample, section by section, exact and as one probe has them.

    `opened` is the network of the run, in its bases. `top` takes the so many most important
    features of each layer alone, raw layers whole; without `raw` the sections into those, which
    may be as wide as a vocabulary, are left out. Features are in their order. With `chosen` there
    are those samples alone. The sum of `exact` over samples by that of `positions` is the
    strength in a run of these samples. Where it was cut off, it goes on.

    Raises UsageError for a trace or a `top` below 1.
    """
    if run.manifest.base is not None:
        raise UsageError(f"Run {run.id} is of one input: it has no samples to tell apart.")
    if top is not None and top < 1:
        raise UsageError(f"top is {top}; at least 1 feature of each layer has to be looked at.")
    if chosen is not None:
        opened = opened.selected(chosen)
    config, network = run.manifest.config, opened.network
    rule = Rule.named(config.rule, config.points)
    bases = {
        name: basis.only(most_important(basis, top)).to(opened.dtype)
        for name, basis in opened.bases.items()
    }

    def part(section: Section, batch: Batch, chunk: int) -> tuple[SampleStrengths]:
        ends = (bases[section.source.name], bases[section.target.name])
        found = sample_squares(section, batch, *ends, rule, chunk)
        mask = batch.mask(section.source)
        places = section.source.positions
        count = torch.full((len(batch),), places) if mask is None else mask.sum(1).long().cpu()
        return (SampleStrengths(found.exact.float(), found.probed.float(), count),)

    sections = [each for each in network.sections if raw or not bases[each.target.name].raw]
    different = {(type(each.kind), each.target.width): each for each in sections}
    samples = opened.planned(
        [partial(part, each) for each in different.values()], memory, keep=True
    )
    numbers = None if chosen is None else chosen.tolist()
    origin = {**graph_of(run), "top": top, "chosen": numbers}
    passes = passes_of(run, "strengths", origin, progress)
    for section in sections:
        name = f"strengths of samples out of {section.source.name}"
        one = partial(part, section, chunk=samples.plan.chunk)
        (found,) = accumulate(passes, name, samples, one)
        yield SectionStrengths(
            section.source.name, found.exact.double().numpy(), found.probed.double().numpy(),
            found.positions.numpy(),
        )  # fmt: skip
    samples.close()
    passes.close()
