"""A run's network with held-out data: what every ablation is scored on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor

from lib_graph.analysis.ablation.masks import MaskedSection
from lib_graph.analysis.ablation.scored import LinearBasis, ScoredBatch
from lib_graph.analysis.reopening import Reopened, passes_of, refuse_stand_ins, reopened_network
from lib_graph.building.accumulating import accumulate
from lib_graph.building.job import first_samples
from lib_graph.building.likeness import unlike
from lib_graph.building.origin import tensors_sha256
from lib_graph.building.passes import Passes
from lib_graph.building.plan import LIBRARIES, plan_passes
from lib_graph.building.samples import Samples
from lib_graph.cutting.copies import converted
from lib_graph.cutting.points import OUTPUT, running
from lib_graph.data.evaluation import Evaluation, Metric, Total
from lib_graph.errors import ModelError, UsageError
from lib_graph.method.dictionary import Basis, Dictionary
from lib_graph.method.network import Batch, Network
from lib_graph.networks import Subject
from lib_graph.run import Run
from lib_graph.run.kept import graph_of
from lib_graph.support import defaults
from lib_graph.support.progress import SILENT, USUAL, Progress
from lib_graph.support.texts import counted

__all__ = ["PRECISION", "Bench", "scored_on"]

PRECISION = torch.float32  # of the network, unless asked for otherwise
ROWS = 4096  # samples × positions in a batch
COLUMNS = 4  # one in so many bytes of the memory may go to what masks have in common

Scoring = Callable[[ScoredBatch], Iterable[Total]]


@dataclass(frozen=True, eq=False, repr=False)
class Bench:
    """A run's network, the bases of its layers, and data to score it on, in batches.

    With `columns` there is memory for what masks have in common, of all batches.
    """

    run: Run
    network: Network
    bases: Mapping[str, LinearBasis]
    evaluation: Evaluation
    metric: Metric
    samples: Samples
    passes: Passes
    columns: bool = False

    def __repr__(self) -> str:
        on = f"{self.metric.name} on {counted(len(self), 'sample')}"
        return f"<Bench of run {self.run.id}: {on}>"

    @classmethod
    def of(
        cls,
        run: Run,
        *,
        subject: Subject | None = None,
        metric: str | None = None,
        dtype: torch.dtype = PRECISION,
        memory: int = defaults.MEMORY,
        device: str = defaults.DEVICE,
        progress: Progress = USUAL,
    ) -> Bench:
        """Return the bench of a run, its network loaded again (`lib_graph.analysis.reopening`).

        `metric` is accuracy or cross-entropy (default: what the data are usually scored by);
        `dtype` is the precision of the network, which is less than that of a build unless said
        otherwise. `memory` is the bytes that ablations may take. What was scored is kept in the
        run's folder until results are written there or `close` is called: an ablation that was cut
        off goes on.

        Raises UsageError if the network comes with nothing to score it on, for too little memory,
        or if transcoders stand in,
        ModelError if labels do not fit its outputs, and what `reopened_network` does.
        """
        found = reopened_network(run, subject, dtype, device, progress, derivatives=False)
        refuse_stand_ins(found, "ablate")
        evaluation = _checked(found, _evaluation(run, found, dtype))
        bases, chosen = _linear(found.bases), Metric(metric or evaluation.metric)
        samples = len(evaluation.inputs[0])
        beside = _columns_bytes(found, samples)
        columns = beside <= (memory - LIBRARIES) // COLUMNS
        example = tuple(first_samples(x).to(found.device) for x in evaluation.inputs)

        def scored(batch: Batch) -> ScoredBatch:
            return ScoredBatch.of(found.network, bases, chosen, evaluation, batch)

        plan = plan_passes(
            [found.network], example, samples, memory, _parts(found, example, scored), rows=ROWS,
            beside=beside if columns else 0,
        )  # fmt: skip
        data = Samples(found.network, evaluation.inputs, plan, device=found.device, last=False)
        passes = passes_of(run, "ablate", {}, SILENT)
        columns = columns and plan.keep in ("card", "memory")
        bench = cls(run, found.network, bases, evaluation, chosen, data, passes, columns)
        origin = {**bench.origin, "dtype": str(dtype)}
        return replace(bench, passes=replace(passes, origin=origin))

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.evaluation.inputs[0])

    @cached_property
    def origin(self) -> dict[str, str]:
        """All that scores follow from."""
        return scored_on(self.run, self.evaluation, self.metric)

    def scored(self, batch: Batch) -> ScoredBatch:
        """Return some of the data in the network, with the right answers."""
        return ScoredBatch.of(self.network, self.bases, self.metric, self.evaluation, batch)

    def scores(self, name: str, chosen: Iterable[Tensor], scoring: Scoring) -> list[float]:
        """Return scores over all of the data, in one pass.

        `scoring` gives the totals of a batch, and follows from `name` and the `chosen` alone: where
        an ablation was cut off, its scores so far are not computed again.
        """

        @torch.no_grad()
        def totals(batch: Batch) -> tuple[Total, ...]:
            return tuple(scoring(self.scored(batch)))

        digest = tensors_sha256((str(number), x) for number, x in enumerate(chosen))
        found = accumulate(self.passes, f"{name} {len(self)} {digest}", self.samples, totals)
        return [total.mean for total in found]

    @cached_property
    def baseline(self) -> float:
        """The score of the network as it is."""
        (score,) = self.scores("baseline", [], lambda scored: [scored.whole])
        return score

    def sampled(self, answers: int) -> Bench:
        """Return a bench on an even selection of the samples, with about so many answers.

        Only answers that count are counted.
        """
        chosen = self.evaluation.even(answers)
        return self if chosen is None else self.selected(chosen)

    def selected(self, chosen: Int[Tensor, " n"]) -> Bench:
        """Return a bench on some of the samples, by their numbers."""
        evaluation = self.evaluation.selected(chosen)
        fewer = replace(self.samples, inputs=evaluation.inputs, _kept={})
        return replace(self, evaluation=evaluation, samples=fewer)

    def close(self) -> None:
        """Forget the scores of ablations whose results are not written."""
        self.passes.close()


def scored_on(run: Run, evaluation: Evaluation, metric: Metric) -> dict[str, str]:
    """Return what scores of a run follow from: its graph, the data and what they are scored by."""
    tensors = {"targets": evaluation.targets, "counted": evaluation.counted}
    tensors |= {str(i): x for i, x in enumerate(evaluation.inputs)}
    data = tensors_sha256((name, x) for name, x in tensors.items() if x is not None)
    return {**graph_of(run), "data": data, "metric": metric.name}


def _evaluation(run: Run, found: Reopened, dtype: torch.dtype) -> Evaluation:
    """Return what the network of a run is scored on, in some precision."""
    subject, network, evaluation = found.subject, found.network, found.subject.evaluation
    if evaluation is None:
        raise UsageError(
            f"{subject.source!r} has no labelled data, so neither accuracy nor cross-entropy "
            "can be measured. Give it some: make_evaluation() beside make_data() returns "
            "(inputs, labels)."
        )
    if [*subject.layers.values()][-1] != OUTPUT:
        raise UsageError(
            f"The last layer of run {run.id} is {network.layers[-1].name!r}, not the output of "
            "the network, so there is nothing to score. Build a run whose last layer is output."
        )
    return replace(evaluation, inputs=tuple(converted(x, dtype) for x in evaluation.inputs))


def _checked(found: Reopened, evaluation: Evaluation) -> Evaluation:
    """Return data that fit the network, their labels as int64. Raises ModelError if they do not."""
    name, targets, samples = evaluation.name, evaluation.targets, len(evaluation.inputs[0])
    if not samples:
        raise ModelError(f"The data {name!r} is empty. Give at least one sample.")
    with running(found.subject.module, f"the inputs of {name!r}"):
        first = found.network.run(*(x[:1].to(found.device) for x in evaluation.inputs))
    places, classes = first.activations[-1].shape[1:]
    integers = not targets.is_floating_point() and not targets.is_complex()
    fitting = [(samples, places), *[(samples,)] * (places == 1)]
    if not integers or targets.shape not in fitting:
        raise ModelError(
            f"The labels of {name!r} are {tuple(targets.shape)} {targets.dtype}. Give the "
            f"number of the right output for each of the {samples} samples"
            + (f" × {places} positions." if places > 1 else ".")
        )
    if targets.min() < 0 or targets.max() >= classes:
        raise ModelError(
            f"The labels of {name!r} go from {int(targets.min())} to {int(targets.max())}, but "
            f"the network has {classes} outputs, from 0."
        )
    return replace(evaluation, targets=targets.long())


def _linear(bases: Mapping[str, Basis]) -> dict[str, LinearBasis]:
    """Return bases whose features are linear in the activations; refuse dictionaries."""
    found = {}
    for layer, basis in bases.items():
        if isinstance(basis, Dictionary):
            raise UsageError(
                f"The features of layer {layer!r} are those of a dictionary, and only those of a "
                "basis can be ablated. Use a run in the basis lib, pca or neuron."
            )
        found[layer] = basis
    return found


def _parts(
    found: Reopened, example: Sequence[Tensor], scored: Callable[[Batch], ScoredBatch]
) -> Sequence[Callable[[Batch, int], tuple[Total, ...]]]:
    """Return what ablations do with a batch, at the most: at the first of all like sections.

    What runs on behind it is all that does behind the others.
    """
    network, features = found.network, {x: basis.features for x, basis in found.bases.items()}
    sections = unlike(network.sections, network.run(*(x[:1] for x in example)), features)
    numbers = [section.source.index for section in sections]

    def node(layer: int) -> Callable[[Batch, int], tuple[Total, ...]]:
        def of(batch: Batch, _: int) -> tuple[Total, ...]:
            here, at = scored(batch), network.layers[layer]
            return (here.total(at, here.features(at)),)

        return torch.no_grad()(of)

    def edge(number: int) -> Callable[[Batch, int], tuple[Total, ...]]:
        def of(batch: Batch, _: int) -> tuple[Total, ...]:
            here, section = scored(batch), network.sections[number]
            masked = MaskedSection.of(here, section, here.features(section.source))
            shape = masked.source.features, masked.target.features
            return (here.total(section.target, masked(torch.ones(shape, dtype=torch.bool))),)

        return torch.no_grad()(of)

    return [*map(node, [*numbers, len(network.sections)]), *map(edge, numbers)]


def _columns_bytes(found: Reopened, samples: int) -> int:
    """Return the bytes that masked sections of the largest layers hold of all the data."""
    entries = max(
        section.source.positions * found.bases[section.source.name].features
        + section.target.positions * 5 * found.bases[section.target.name].features
        for section in found.network.sections
    )
    return samples * entries * found.dtype.itemsize
