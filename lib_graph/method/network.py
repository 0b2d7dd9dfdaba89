"""A network as a chain of sections between layers (docs/method.md §1).

A **layer** is a cut through the network: the tensors that cross it, concatenated on the feature
axis, are its activations f ∈ R^{S × d} on one input (S positions, d features). A **section** maps
the activations of one layer to those of the next. `lib_graph.cutting.cuts` makes a network out of
a module.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lib_graph.errors import ModelError
from lib_graph.method.kind import Kind

__all__ = ["Batch", "Constants", "Layer", "Network", "Section", "Transcoded"]

Constants = tuple[Any, ...]


@dataclass(frozen=True)
class Transcoded:
    """What the first coordinates of a layer are at which a transcoder stands in (§17).

    First its `features`, next the size of its error, then the features `carried` along from
    earlier layers, and the direction of the error, which is as wide as its `outputs` and no
    feature.
    """

    features: int
    outputs: int
    carried: int = 0

    @property
    def own(self) -> int:
        """The number of coordinates that are features as they are."""
        return self.features + 1 + self.carried

    @property
    def rest(self) -> int:
        """The first coordinate of what bypasses the transcoder."""
        return self.own + self.outputs


@dataclass(frozen=True)
class Layer:
    """A cut through the network.

    `shapes` are the shapes of the tensors that cross it, the samples' axis left out: `(d,)` for a
    tensor [N, d], which counts as one position, `(S, d)` for [N, S, d], and `(d, H, W)` for an
    image [N, d, H, W], whose positions are its pixels. With `variance`, the first coordinate is the
    variance in a norm, which stays a feature of its own. `transcoded` says what the first
    coordinates are where a transcoder stands in.
    """

    index: int
    name: str
    shapes: tuple[tuple[int, ...], ...]
    variance: bool = False
    transcoded: Transcoded | None = None

    @property
    def width(self) -> int:
        """The number of coordinates d."""
        return sum(map(_coordinates, self.shapes))

    @property
    def positions(self) -> int:
        """The number of positions S."""
        return math.prod(self.shapes[0]) // _coordinates(self.shapes[0])

    def pack(self, tensors: Sequence[Tensor]) -> Float[Tensor, "n s d"]:
        """Return the tensors that cross this layer as its activations."""
        return torch.cat([_rows(t) for t in tensors], -1)

    def unpack(self, activations: Float[Tensor, "n s d"]) -> list[Tensor]:
        """Return the tensors that `pack` made these activations of."""
        parts = activations.split([*map(_coordinates, self.shapes)], -1)
        return [_tensor(part, shape) for part, shape in zip(parts, self.shapes, strict=True)]


def _coordinates(shape: tuple[int, ...]) -> int:
    return shape[0] if len(shape) == 3 else shape[-1]


def _rows(tensor: Tensor) -> Float[Tensor, "n s d"]:
    """Return a tensor as coordinates at positions."""
    if tensor.ndim == 2:
        return tensor.unsqueeze(1)
    return tensor.flatten(2).mT if tensor.ndim == 4 else tensor


def _tensor(rows: Float[Tensor, "n s d"], shape: tuple[int, ...]) -> Tensor:
    """Return the tensor of a shape that `_rows` made these coordinates of."""
    if len(shape) == 1:
        return rows.squeeze(1)
    return rows.mT.unflatten(2, shape[1:]) if len(shape) == 3 else rows


@dataclass(frozen=True)
class Section:
    """The computation between two layers, with its parameters and constants as inputs.

    `function(tensors, parameters, constants)` maps the tensors that cross the source layer to those
    that cross the target layer. `constants` is what the network derives from its inputs beside the
    activations: masks, sizes, rotary tables. `biases` names the parameters that count as biases,
    and `kind` answers what is known of the function beside.
    """

    source: Layer
    target: Layer
    function: Callable[[Sequence[Tensor], Mapping[str, Tensor], Constants], Sequence[Tensor]]
    parameters: Mapping[str, Tensor]
    biases: tuple[str, ...]
    kind: Kind = field(default_factory=Kind)

    def __call__(
        self,
        activations: Float[Tensor, "n s d"],
        constants: Constants,
        biases: Mapping[str, Tensor] | None = None,
    ) -> Float[Tensor, "n t e"]:
        """Return the next layer's activations, with other values for the biases if given."""
        parameters = {**self.parameters, **(biases or {})}
        tensors = self.function(self.source.unpack(activations), parameters, constants)
        return self.target.pack(tensors)

    @property
    def local(self) -> bool:
        """Whether F(f)_t depends on f_t alone."""
        one_position = self.source.positions == self.target.positions == 1
        return one_position or self.kind.local

    def scaled_biases(self, alpha: float) -> dict[str, Tensor]:
        """Return the biases times `alpha`, as the path from the zero baseline needs them."""
        return {name: alpha * self.parameters[name] for name in self.biases}


@dataclass(frozen=True)
class Batch:
    """The activations of all layers on some samples, and the constants of the sections.

    `counted` marks the positions that count, in all layers that have as many (None: all do);
    `start` is the number of the first sample in the data.
    """

    activations: Sequence[Float[Tensor, "n s d"]]
    constants: Constants
    counted: Bool[Tensor, "n s"] | None = None
    start: int = 0

    def __len__(self) -> int:
        return len(self.activations[0])

    def mask(self, layer: Layer) -> Bool[Tensor, "n s"] | None:
        """Return which positions of a layer count; None if all do."""
        shape = self.activations[layer.index].shape[:2]
        return self.counted if self.counted is not None and self.counted.shape == shape else None

    def rows(self, layer: Layer) -> int:
        """Return how many positions of a layer count, over all samples."""
        mask = self.mask(layer)
        return self.activations[layer.index][..., 0].numel() if mask is None else int(mask.sum())


@dataclass(frozen=True)
class Network:
    """Layers and the sections between them; `head` maps the inputs to the first layer.

    `figures` is what a manifest says of how the network was cut, and of the checks of that, and
    `notes` what people should know of it, in words.
    """

    layers: tuple[Layer, ...]
    sections: tuple[Section, ...]
    head: Callable[..., tuple[Sequence[Tensor], Constants]]
    figures: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @torch.no_grad()
    def run(self, *inputs: Tensor) -> Batch:
        """Return the activations of every layer on a batch of inputs of whatever precision.

        Raises ModelError, naming the layer, if one of them is not finite.
        """
        tensors, constants = self.head(*inputs)
        activations = [self.layers[0].pack(tensors)]
        for section in self.sections:
            activations.append(section(activations[-1], constants))
        for layer, values in zip(self.layers, activations, strict=True):
            finite = values.isfinite().flatten(1).all(1)
            if not finite.all():
                sample = int((~finite).nonzero()[0])
                given = all(bool(x[sample].isfinite().all()) for x in inputs)
                whose = "are, so check the weights" if given else "are not: mend or leave it out"
                raise ModelError(
                    f"Layer {layer.name!r} has activations that are not finite (first in sample "
                    f"{sample} of its batch, whose inputs {whose})."
                )
        return Batch(tuple(activations), constants)
