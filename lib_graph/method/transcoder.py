"""Transcoders: features of one point of a network that say what another point will be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.method.activation import activated
from lib_graph.support.devices import CPU

__all__ = ["Transcoder", "earlier", "outputs"]


@dataclass(frozen=True)
class Transcoder:
    """Features f̂ = act(f W + b), and what they write to one layer's output, or to several layers'.

    `encoder` is W (d × r), `encoder_bias` b (r), `decoders` r × m × e: what feature j adds to the
    output of its own layer, of the next, …; `decoder_bias` (e) is of its own layer's output, and so
    is f S, `skip` S (d × e). `activation`, `threshold` and `k` are as in a dictionary. `place` is
    the number of its own layer among those that transcoders of one set write to (None: there are no
    others).
    """

    encoder: Float[Tensor, "d r"]
    encoder_bias: Float[Tensor, " r"]
    decoders: Float[Tensor, "r m e"]
    decoder_bias: Float[Tensor, " e"]
    activation: str
    threshold: Float[Tensor, " r"] | None = None
    k: int | None = None
    skip: Float[Tensor, "d e"] | None = None
    place: int | None = None

    @property
    def features(self) -> int:
        """The number of features r."""
        return len(self.decoders)

    def to(self, dtype: torch.dtype, device: torch.device = CPU) -> Transcoder:
        """Return the same transcoder in another precision, on a device."""
        moved: dict[str, Any] = {
            name: x.to(device, dtype) for name, x in vars(self).items() if isinstance(x, Tensor)
        }
        return replace(self, **moved)

    def coordinates(self, activations: Float[Tensor, "*n d"]) -> Float[Tensor, "*n r"]:
        """Return f̂ = act(f W + b)."""
        before = activations @ self.encoder + self.encoder_bias
        return activated(before, self.activation, self.threshold, self.k)


def earlier(transcoders: Mapping[str, Transcoder], layer: str) -> dict[str, Float[Tensor, "r e"]]:
    """Return what earlier layers' features write to a layer's output, of those carried to it.

    `transcoders` are in the order of their layers. Carried are the features that write to it or to
    a later one.
    """
    names = list(transcoders)
    here = names.index(layer)
    return {
        name: decoders[:, here - i]
        for i, name in enumerate(names[:here])
        if (decoders := transcoders[name].decoders).shape[1] > here - i
    }


def outputs(
    transcoders: Sequence[Transcoder], inputs: Sequence[Float[Tensor, "*n d"]]
) -> list[Float[Tensor, "*n e"]]:
    """Return the outputs of consecutive layers, given their inputs.

    Layer i + l takes f̂_i D_il of each layer i before it and of itself, its bias, and its skip.
    """
    found = [
        each.decoder_bias if each.skip is None else x @ each.skip + each.decoder_bias
        for each, x in zip(transcoders, inputs, strict=True)
    ]
    for i, (each, x) in enumerate(zip(transcoders, inputs, strict=True)):
        features = each.coordinates(x)
        for later in range(min(each.decoders.shape[1], len(found) - i)):
            found[i + later] = found[i + later] + features @ each.decoders[:, later]
    return found
