"""Transcoders that stand in for parts of a module, which still computes what it did.

A part y = G(x) becomes y = f̂ D + c + x S + |e| ê, with the features f̂ = act(x W + b), and the error
e = G(x) − (f̂ D + c + x S) held as it is on the data (docs/method.md §17).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lib_graph.cutting.arguments import first_number, mapped
from lib_graph.cutting.copies import fresh
from lib_graph.errors import UsageError
from lib_graph.kinds import PositionLocal
from lib_graph.method.activation import active
from lib_graph.method.kind import Kind
from lib_graph.method.network import Network, Transcoded
from lib_graph.method.transcoder import Transcoder

__all__ = ["StandIn", "kinds_beside", "marked", "part_of", "with_stand_ins"]

FEATURES = "features"


class StandIn(nn.Module):
    """A part of a module with a transcoder beside it: the same result, by way of the features.

    `features` is handed [f̂, |e|, ê, x S], the last where there is a skip: a layer can be cut there.

    >>> eye = torch.eye(2)
    >>> relus = Transcoder(eye, torch.zeros(2), eye[:, None], torch.zeros(2), "relu")
    >>> part = StandIn(nn.Linear(2, 2), relus)
    >>> x = torch.tensor([[3.0, -4.0]])
    >>> torch.allclose(part(x), part.module(x))
    True
    """

    def __init__(self, module: nn.Module, transcoder: Transcoder) -> None:
        super().__init__()
        self.module, self.features = module, nn.Identity()
        self.activation, self.k = transcoder.activation, transcoder.k
        self.encoder = nn.Parameter(transcoder.encoder)
        self.b_enc = nn.Parameter(transcoder.encoder_bias)
        self.decoder = nn.Parameter(transcoder.decoders[:, 0])
        self.b_dec = nn.Parameter(transcoder.decoder_bias)
        self.skip = None if transcoder.skip is None else nn.Parameter(transcoder.skip)
        self.register_buffer("threshold", transcoder.threshold)
        self.requires_grad_(False)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the part returns, its first tensor of numbers by way of the features."""
        result = self.module(*args, **kwargs)
        x, y = first_number((args, kwargs)), first_number(result)
        assert x is not None
        assert y is not None
        told = self._by_features(x, y)
        return mapped(result, lambda each: told if each is y else each)

    def _by_features(self, x: Float[Tensor, "*n d"], y: Float[Tensor, "*n e"]) -> Tensor:
        before = x @ self.encoder + self.b_enc
        threshold: Any = self.threshold
        chosen = active(before, self.activation, threshold, self.k)
        features = before.masked_fill(~chosen, 0.0)
        straight = [] if self.skip is None else [x @ self.skip]
        error = (y - self._decoded(features, *straight)).detach()
        size = torch.linalg.vector_norm(error, dim=-1, keepdim=True)
        direction = error / size.clamp_min(torch.finfo(size.dtype).tiny)
        parts = [features, size, direction, *straight]
        crossing = self.features(torch.cat(parts, -1))
        features, size, direction, *straight = crossing.split([p.shape[-1] for p in parts], -1)
        told: Tensor = self._decoded(features, *straight) + size * direction
        return told

    def _decoded(self, features: Tensor, *straight: Tensor) -> Tensor:
        told: Tensor = features @ self.decoder + self.b_dec
        return told if not straight else told + straight[0]


def part_of(point: str) -> str:
    """Return the path of the part that a transcoder at a point stands in for.

    >>> part_of("blocks.0.mlp:in")
    'blocks.0.mlp'

    Raises UsageError for the module's own result, which is no part's.
    """
    path, _, side = point.rpartition(":")
    if side not in ("in", "out") or "#" in path:
        raise UsageError(
            f"A transcoder stands in for a part of the network, and {point!r} is no part's input "
            "or output. Name a layer at path:in."
        )
    return path


def with_stand_ins(
    module: nn.Module, layers: Mapping[str, str], stand_ins: Mapping[str, Transcoder]
) -> tuple[nn.Module, dict[str, str]]:
    """Return a module in which transcoders stand in for the parts at their layers, and the points.

    It shares the weights of the one given, which is not changed; `stand_ins` are in its precision
    and go by the layers. The point of such a layer becomes that of the transcoder's features.

    Raises what `part_of` does, and UsageError where two transcoders would stand in for one part.
    """
    points = dict(layers)
    if not stand_ins:
        return module, points
    module = fresh(module)
    for layer, transcoder in stand_ins.items():
        path = part_of(layers[layer])
        part = module.get_submodule(path)
        if isinstance(part, StandIn):
            raise UsageError(
                f"Two transcoders are to stand in for {path!r}, the one of layer {layer!r} is the "
                "second. Name one."
            )
        parent, _, name = path.rpartition(".")
        setattr(module.get_submodule(parent), name, StandIn(part, transcoder))
        points[layer] = f"{path}.{FEATURES}:out"
    return module.eval(), points


def kinds_beside(
    kinds: Mapping[tuple[str, str], Kind], stand_ins: Mapping[str, Transcoder]
) -> dict[tuple[str, str], Kind]:
    """Return what is left of what sections are where transcoders stand in for parts.

    Of the two sections that such a layer is the end of, no more than that nothing passes between
    positions: a derivative is taken of the transcoder, which is local, in place of the part.
    """
    beside = {ends: not stand_ins.keys().isdisjoint(ends) for ends in kinds}
    return {
        ends: PositionLocal() if beside[ends] else kind
        for ends, kind in kinds.items()
        if kind.local or not beside[ends]
    }


def marked(network: Network, stand_ins: Mapping[str, Transcoder]) -> Network:
    """Return the network with what the layers say of the transcoders that stand in at them."""
    layers = tuple(
        replace(layer, transcoded=Transcoded(found.features, len(found.decoder_bias)))
        if (found := stand_ins.get(layer.name)) is not None
        else layer
        for layer in network.layers
    )
    sections = tuple(
        replace(each, source=layers[each.source.index], target=layers[each.target.index])
        for each in network.sections
    )
    return replace(network, layers=layers, sections=sections)
