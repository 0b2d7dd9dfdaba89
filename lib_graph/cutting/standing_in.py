"""Transcoders that stand in for parts of a module, which still computes what it did.

A part y = G(x) becomes y = f̂ D + c + x S + |e| ê, with the features f̂ = act(x W + b), and the error
e = G(x) − (f̂ D + c + x S) held as it is on the data (docs/method.md §17). Where transcoders write
to later parts as well, their features are carried along to these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lib_graph.cutting.arguments import first_number, mapped
from lib_graph.cutting.copies import fresh
from lib_graph.errors import UsageError
from lib_graph.kinds import PositionLocal
from lib_graph.method.activation import activated
from lib_graph.method.kind import Kind
from lib_graph.method.network import Network, Transcoded
from lib_graph.method.transcoder import Transcoder, earlier

__all__ = ["StandIn", "kinds_beside", "marked", "part_of", "with_stand_ins"]

FEATURES = "features"


class StandIn(nn.Module):
    """A part of a module with a transcoder beside it: the same result, by way of the features.

    It is that of one of the layers that `transcoders` are of, in their order. `features` is handed
    [f̂, |e|, g, ê, x S], with g the features carried from earlier layers and x S where there is a
    skip: a layer can be cut there. Features are handed on in `along`, which all of them share, and
    x comes from `read` where a norm in front is part of what is stood in for (None: it is not).

    >>> eye = torch.eye(2)
    >>> relus = Transcoder(eye, torch.zeros(2), eye[:, None], torch.zeros(2), "relu")
    >>> part = StandIn(nn.Linear(2, 2), {"here": relus}, "here")
    >>> x = torch.tensor([[3.0, -4.0]])
    >>> torch.allclose(part(x), part.module(x))
    True
    """

    def __init__(
        self,
        module: nn.Module,
        transcoders: Mapping[str, Transcoder],
        layer: str,
        along: dict[str, Tensor] | None = None,
        read: dict[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        transcoder, before = transcoders[layer], earlier(transcoders, layer)
        self.layer, self.earlier, self.later = layer, list(before), _handed_on(transcoders, layer)
        self.along, self.read = {} if along is None else along, read
        self.module, self.features = module, nn.Identity()
        self.activation, self.k = transcoder.activation, transcoder.k
        self.encoder, self.b_enc = _held(transcoder.encoder), _held(transcoder.encoder_bias)
        self.decoder = _held(torch.cat([transcoder.decoders[:, 0], *before.values()]))
        self.b_dec = _held(transcoder.decoder_bias)
        self.skip = None if transcoder.skip is None else _held(transcoder.skip)
        self.register_buffer("threshold", transcoder.threshold)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the part returns, its first tensor of numbers by way of the features."""
        result = self.module(*args, **kwargs)
        x, y = first_number((args, kwargs)), first_number(result)
        if self.read is not None:
            x = self._read()
        assert x is not None
        assert y is not None
        told = self._by_features(x, y)
        return mapped(result, lambda each: told if each is y else each)

    def _by_features(self, x: Float[Tensor, "*n d"], y: Float[Tensor, "*n e"]) -> Tensor:
        """Return y, from x by way of the features, its error held; they are handed on."""
        threshold: Any = self.threshold
        before = x @ self.encoder + self.b_enc
        features = activated(before, self.activation, threshold, self.k)
        carried, straight = self._carried(), [] if self.skip is None else [x @ self.skip]
        error = (y - self._decoded([features, *carried], straight)).detach()
        size = torch.linalg.vector_norm(error, dim=-1, keepdim=True)
        direction = error / size.clamp_min(torch.finfo(size.dtype).tiny)
        parts = [features, size, *carried, direction, *straight]
        crossing = self.features(torch.cat(parts, -1))
        features, size, *others = crossing.split([part.shape[-1] for part in parts], -1)
        carried, (direction, *straight) = others[: len(carried)], others[len(carried) :]
        every = dict(zip([*self.earlier, self.layer], [*carried, features], strict=True))
        self.along.update({name: every[name] for name in self.later})
        told: Tensor = self._decoded([features, *carried], straight) + size * direction
        return told

    def _read(self) -> Tensor:
        assert self.read is not None
        if self.layer not in self.read:
            raise UsageError(
                f"The MLP at layer {self.layer!r} runs before its norm, or more than once. Take a "
                "transcoder that reads what the MLP does."
            )
        return self.read.pop(self.layer)

    def _carried(self) -> list[Tensor]:
        if missing := [name for name in self.earlier if name not in self.along]:
            raise UsageError(
                f"The part at layer {self.layer!r} runs before that at layer {missing[0]!r}, or "
                "more than once, so that no features are carried to it. Take a transcoder of each "
                "layer."
            )
        return [self.along.pop(name) for name in self.earlier]

    def _decoded(self, features: Sequence[Tensor], straight: Sequence[Tensor]) -> Tensor:
        told: Tensor = torch.cat([*features], -1) @ self.decoder + self.b_dec
        return told if not straight else told + straight[0]


def _held(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values, requires_grad=False)


class Reading(nn.Module):
    """A norm that does what it did and keeps its input in `read`, for the stand-in of a layer."""

    def __init__(self, module: nn.Module, layer: str, read: dict[str, Tensor]) -> None:
        super().__init__()
        self.module, self.layer, self.read = module, layer, read

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the norm returns."""
        x = first_number((args, kwargs))
        assert x is not None
        self.read[self.layer] = x
        return self.module(*args, **kwargs)


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
    module: nn.Module,
    layers: Mapping[str, str],
    stand_ins: Mapping[str, Transcoder],
    parts: Mapping[str, str],
) -> tuple[nn.Module, dict[str, str]]:
    """Return a module in which transcoders stand in for the parts at their layers, and the points.

    It shares the weights of the one given, which is not changed; `stand_ins` are in its precision
    and go by the layers, in their order. `parts` are the points at the parts, another than the
    layer's where that is the input of a norm that belongs to what is stood in for. The point of
    such a layer becomes that of the transcoder's features.

    Raises what `part_of` does, and UsageError where two transcoders would stand in for one part.
    """
    points = dict(layers)
    if not stand_ins:
        return module, points
    module = fresh(module)
    along: dict[str, Tensor] = {}
    read: dict[str, Tensor] = {}
    for layer in stand_ins:
        path = part_of(parts[layer])
        part, read_there = module.get_submodule(path), parts[layer] != layers[layer]
        if isinstance(part, StandIn):
            raise UsageError(
                f"Two transcoders are to stand in for {path!r}, the one of layer {layer!r} is the "
                "second. Name one."
            )
        stand_in = StandIn(part, stand_ins, layer, along, read if read_there else None)
        _put(module, path, stand_in)
        if read_there:
            norm = part_of(layers[layer])
            _put(module, norm, Reading(module.get_submodule(norm), layer, read))
        points[layer] = f"{path}.{FEATURES}:out"
    return module.eval(), points


def _put(module: nn.Module, path: str, part: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(module.get_submodule(parent), name, part)


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
        replace(layer, transcoded=_told(stand_ins, layer.name))
        if layer.name in stand_ins
        else layer
        for layer in network.layers
    )
    sections = tuple(
        replace(each, source=layers[each.source.index], target=layers[each.target.index])
        for each in network.sections
    )
    return replace(network, layers=layers, sections=sections)


def _handed_on(transcoders: Mapping[str, Transcoder], layer: str) -> list[str]:
    """Return the layers whose features are carried to the layer that follows one."""
    names = list(transcoders)
    following = names[names.index(layer) + 1 :]
    return list(earlier(transcoders, following[0])) if following else []


def _told(stand_ins: Mapping[str, Transcoder], layer: str) -> Transcoded:
    here, before = stand_ins[layer], earlier(stand_ins, layer)
    return Transcoded(here.features, len(here.decoder_bias), sum(map(len, before.values())))
