"""Some of the data in a network: its features, and the score when some layer has others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lib_graph.analysis.ablation.narrowing import narrowed
from lib_graph.data.evaluation import Evaluation, Metric, Total
from lib_graph.method.basis import LayerBasis, RawBasis
from lib_graph.method.ends import Ends
from lib_graph.method.network import Batch, Layer, Network

__all__ = ["LinearBasis", "ScoredBatch"]

LinearBasis = LayerBasis | RawBasis
"""A basis whose features are linear in the activations."""


@dataclass(frozen=True, eq=False)
class ScoredBatch:
    """A batch in a network, the bases of the layers, and what is to be answered."""

    network: Network
    bases: Mapping[str, LinearBasis]
    metric: Metric
    batch: Batch
    targets: Int[Tensor, "n ..."]
    counted: Bool[Tensor, "n t"] | None

    @classmethod
    def of(
        cls,
        network: Network,
        bases: Mapping[str, LinearBasis],
        metric: Metric,
        evaluation: Evaluation,
        batch: Batch,
    ) -> ScoredBatch:
        """Return a batch with the answers to its samples."""
        at = torch.arange(batch.start, batch.start + len(batch)) % len(evaluation.targets)
        device, counted = batch.activations[0].device, evaluation.counted
        return cls(
            network, bases, metric, batch, evaluation.targets[at].to(device),
            None if counted is None else counted[at].to(device),
        )  # fmt: skip

    def features(self, layer: Layer) -> Float[Tensor, "n s r"]:
        """Return f̂ of a layer, the constant left out."""
        return self.bases[layer.name].coordinates(self.batch.activations[layer.index])

    @property
    def outputs(self) -> Float[Tensor, "n t v"]:
        """What the network answers as it is."""
        last = self.network.sections[-1]
        return last(self.batch.activations[last.source.index], self.batch.constants)

    @property
    def whole(self) -> Total:
        """What the network scores as it is."""
        return self._scored(self.outputs)

    def total(
        self,
        layer: Layer,
        features: Float[Tensor, "n s k"],
        kept: Int[Tensor, " k"] | None = None,
    ) -> Total:
        """Return what the network scores when a layer has the given features.

        They are all of the layer's, or those numbered `kept`, the others being at their mean. The
        layer is f̂ C⁺ + μ, and the rest of the network runs on from there.
        """
        basis, constants = self.bases[layer.name], self.batch.constants
        inverse = basis.inverse if kept is None else basis.inverse[kept]
        if layer.index == len(self.network.sections):
            return self._scored(features @ inverse + basis.origin)
        section, *others = self.network.sections[layer.index :]
        values = narrowed(section, Ends(inverse, basis.origin))(features, constants)
        for each in others:
            fast = each.kind.values(values)
            values = each(values, constants) if fast is None else fast
        return self._scored(values)

    def _scored(self, outputs: Float[Tensor, "n t v"]) -> Total:
        return self.metric.total(outputs, self.targets.reshape(outputs.shape[:2]), self.counted)
