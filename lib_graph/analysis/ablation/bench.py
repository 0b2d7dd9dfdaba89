"""A run's network with held-out data: what every ablation is scored on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lib_graph.analysis.ablation.narrowing import narrowed
from lib_graph.analysis.reopening import reopened_network
from lib_graph.cutting.copies import converted
from lib_graph.cutting.points import OUTPUT
from lib_graph.data.evaluation import Evaluation, Metric, Total
from lib_graph.errors import ModelError, UsageError
from lib_graph.method.basis import LayerBasis, RawBasis
from lib_graph.method.dictionary import Dictionary
from lib_graph.method.ends import Ends
from lib_graph.method.network import Constants, Layer, Network
from lib_graph.networks import Subject
from lib_graph.run import Run

__all__ = ["Bench", "Part"]

ROWS = 4096  # samples × positions in a batch


class Part(NamedTuple):
    """Some samples, and what the sections derive from them beside the activations."""

    samples: slice
    constants: Constants


@dataclass(frozen=True, eq=False)
class Bench:
    """A run's network, the bases of its layers, and data to score it on."""

    run: Run
    network: Network
    bases: Mapping[str, LayerBasis | RawBasis]
    evaluation: Evaluation
    metric: Metric

    @classmethod
    def of(
        cls,
        run: Run,
        *,
        subject: Subject | None = None,
        metric: str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Bench:
        """Return the bench of a run, its network loaded again (`lib_graph.analysis.reopening`).

        `metric` is accuracy or cross-entropy (default: what the data are usually scored by);
        `dtype` is the precision of the network, which is less than that of a build unless said
        otherwise.

        Raises UsageError if the network comes with nothing to score it on, ModelError if labels do
        not fit its outputs, and what `reopened_network` does.
        """
        found = reopened_network(run, subject, dtype)
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
        evaluation = replace(
            evaluation, inputs=tuple(converted(x, dtype) for x in evaluation.inputs)
        )
        bench = cls(
            run, network, _linear(found.bases), evaluation, Metric(metric or evaluation.metric)
        )
        bench._check()
        return bench

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.evaluation.inputs[0])

    def _check(self) -> None:
        name, targets = self.evaluation.name, self.evaluation.targets
        if not len(self):
            raise ModelError(f"The data {name!r} is empty. Give at least one sample.")
        outputs = self.network.run(*(x[:1] for x in self.evaluation.inputs)).activations[-1]
        places, classes = outputs.shape[1:]
        integers = not targets.is_floating_point() and not targets.is_complex()
        if not integers or targets.shape not in [(len(self),), (len(self), places)]:
            raise ModelError(
                f"The labels of {name!r} are {tuple(targets.shape)} {targets.dtype}. Give the "
                f"number of the right output for each of the {len(self)} samples"
                + (f" × {places} positions." if places > 1 else ".")
            )
        if targets.min() < 0 or targets.max() >= classes:
            raise ModelError(
                f"The labels of {name!r} go from {int(targets.min())} to {int(targets.max())}, but "
                f"the network has {classes} outputs, from 0."
            )

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The data in batches."""
        step = max(ROWS // max(layer.positions for layer in self.network.layers), 1)
        pieces = [slice(i, i + step) for i in range(0, len(self), step)]
        return tuple(Part(piece, self._head(piece)) for piece in pieces)

    def _head(self, samples: slice) -> Constants:
        with torch.no_grad():
            return self.network.head(*(x[samples] for x in self.evaluation.inputs))[1]

    @cached_property
    def baseline(self) -> float:
        """The score of the network as it is."""
        return self._mean(batch[-1] for batch in self._runs())

    def features(self, layer: Layer) -> Float[Tensor, "n s r"]:
        """Return f̂ of a layer on all of the data, the constant left out."""
        basis = self.bases[layer.name]
        return torch.cat([basis.coordinates(batch[layer.index]) for batch in self._runs()])

    @torch.no_grad()
    def score(
        self,
        layer: Layer,
        features: Float[Tensor, "n s k"],
        kept: Int[Tensor, " k"] | None = None,
    ) -> float:
        """Return the score of the network when a layer has the given features.

        They are all of the layer's, or those numbered `kept`, the others being at their mean. The
        layer is f̂ C⁺ + μ, and the rest of the network runs on from there.
        """
        basis = self.bases[layer.name]
        inverse = basis.inverse if kept is None else basis.inverse[kept]
        if layer.index == len(self.network.sections):
            return self._mean(features[at] @ inverse + basis.origin for at, _ in self.parts)
        section = self.network.sections[layer.index]
        narrow = narrowed(section, Ends(inverse, basis.origin))
        return self._mean(
            self._run_on(section.target, narrow(features[part.samples], part.constants), part)
            for part in self.parts
        )

    def sampled(self, answers: int) -> Bench:
        """Return a bench on an even selection of the samples, with about so many answers."""
        places = self.evaluation.targets[0].numel()
        if len(self) * places <= answers:
            return self
        samples = max(answers // places, 1)
        chosen = torch.linspace(0, len(self) - 1, samples).round().long()
        counted = self.evaluation.counted
        evaluation = replace(
            self.evaluation,
            inputs=tuple(x[chosen] for x in self.evaluation.inputs),
            targets=self.evaluation.targets[chosen],
            counted=None if counted is None else counted[chosen],
        )
        return replace(self, evaluation=evaluation)

    def _runs(self) -> Iterator[Sequence[Tensor]]:
        for samples, _ in self.parts:
            yield self.network.run(*(x[samples] for x in self.evaluation.inputs)).activations

    def _run_on(self, layer: Layer, activations: Tensor, part: Part) -> Tensor:
        for section in self.network.sections[layer.index :]:
            activations = section(activations, part.constants)
        return activations

    def _mean(self, outputs: Iterator[Float[Tensor, "n t v"]]) -> float:
        total = Total(0.0, 0)
        for (samples, _), values in zip(self.parts, outputs, strict=True):
            targets, counted = self.evaluation.targets[samples], self.evaluation.counted
            part = self.metric.total(
                values,
                targets.reshape(values.shape[:2]),
                None if counted is None else counted[samples],
            )
            total = total.merge(part)
        return total.mean


def _linear(
    bases: Mapping[str, LayerBasis | RawBasis | Dictionary],
) -> dict[str, LayerBasis | RawBasis]:
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
