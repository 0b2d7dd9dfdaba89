"""Checks of a network against the module it was cut out of, made at every build."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lib_graph.cutting.tracing import record
from lib_graph.errors import ModelError
from lib_graph.method.forward import derivative
from lib_graph.method.kind import Kind
from lib_graph.method.network import Batch, Layer, Network, Section

__all__ = ["check", "check_kinds", "declared"]

ROUGH = 1e-4  # what float32 can differ by
FORMS = ("second_moment", "interactions", "narrowed", "masked")  # of a kind, computed from its F


@torch.no_grad()
def check(
    network: Network, module: nn.Module, inputs: tuple[Tensor, ...], layers: Mapping[str, str]
) -> dict[str, float]:
    """Return the figures of the checks of a network, which was cut at the given layers.

    Raises ModelError if it is not what its module is, if samples influence each other, or if a kind
    is not what was declared.
    """
    chain_error = _check_chain(network, module, inputs, layers)
    _check_samples(network, inputs)
    return {"chain_error": chain_error, "kind_error": check_kinds(network, inputs)}


def _check_chain(
    network: Network, module: nn.Module, inputs: tuple[Tensor, ...], layers: Mapping[str, str]
) -> float:
    """Return the largest error of the chain of sections against the module itself, relative to the
    largest activation of the layer. Raises ModelError, naming the layer where they part.

    Where the module rounds to a lower precision inside, as the sections do not, they may differ by
    as much.
    """
    with _Rounding() as rounding:
        expected = record(module, inputs, layers.values())
    batch = network.run(*inputs)
    worst = 0.0
    for layer, found in zip(network.layers, batch.activations, strict=True):
        error = _error(layer.unpack(found)[0], expected[layers[layer.name]])
        worst = max(worst, error)
        if not error < (ROUGH if rounding.seen else _tolerance(found)):
            raise ModelError(
                f"The sections and the module part at layer {layer.name!r}: their activations "
                f"differ by {error:.1e} of the largest. Please report this module."
            )
    return worst


def _check_samples(network: Network, inputs: tuple[Tensor, ...]) -> None:
    """Raise ModelError, naming the layer, if a sample's activations depend on its batch."""
    batch, alone = network.run(*inputs), network.run(*(x[:1] for x in inputs))
    for layer, among, single in zip(
        network.layers, batch.activations, alone.activations, strict=True
    ):
        error = _error(among[:1], single)
        if not error < _tolerance(single):
            raise ModelError(
                f"What layer {layer.name!r} computes from a sample depends on the other samples of "
                f"its batch (by {error:.1e} of the largest), so features have no meaning there."
            )


def declared(
    kinds: Mapping[tuple[str, str], Kind] | None, source: Layer, target: Layer
) -> Kind | None:
    """Return what the section between two layers was said to be, if anything.

    Raises ModelError if that is no kind.
    """
    kind = (kinds or {}).get((source.name, target.name))
    if kind is not None and not isinstance(kind, Kind):
        raise ModelError(
            f"The section from layer {source.name!r} to {target.name!r} was declared to be a "
            f"{type(kind).__name__}, which is none of lib_graph.kinds and does not derive from "
            "their Kind."
        )
    return kind


def check_kinds(network: Network, inputs: tuple[Tensor, ...]) -> float:
    """Return the largest error of the declared kinds, in value and derivative, relative to the
    largest entry. Raises ModelError, naming the section, if a declaration is wrong.
    """
    batch = network.run(*inputs)
    worst = 0.0
    for section in network.sections:
        errors = [*_from_value(section, batch), *_between_positions(section, batch)]
        error = max(errors, default=0.0)
        worst = max(worst, error)
        if not error < _tolerance(batch.activations[section.source.index]):
            raise ModelError(
                f"The section after layer {section.source.name!r} is not the "
                f"{type(section.kind).__name__} it was declared to be (error {error:.1e} of "
                "the largest entry). Leave the declaration out."
            )
    return worst


class _Rounding(TorchDispatchMode):
    """Notices if numbers are rounded to a lower precision."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: bool = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._to_copy.default and args[0].is_floating_point():
            self.seen |= result.dtype.itemsize < args[0].dtype.itemsize
        return result


def _from_value(section: Section, batch: Batch) -> Iterator[float]:
    """Yield how far a kind's F is from the section, in value and along a direction.

    Raises ModelError for a kind that has closed forms of an F that it does not say.
    """
    f, kind = batch.activations[section.source.index], section.kind

    def computed(z: Tensor) -> Tensor:
        return section(z, batch.constants)

    def told(z: Tensor) -> Tensor:
        value = kind(z)
        assert value is not None
        return value

    if kind(f) is None:
        own = [name for name in FORMS if getattr(type(kind), name) is not getattr(Kind, name)]
        if own:
            raise ModelError(
                f"{type(kind).__name__}, the section after layer {section.source.name!r}, has "
                f"{own[0]}() but no __call__(f) that it can be checked by. Let that return F(f)."
            )
        return
    yield _error(told(f), computed(f))
    tangent = (_random_like(f),)
    yield _error(derivative(told, (f,), tangent), derivative(computed, (f,), tangent))


def _between_positions(section: Section, batch: Batch) -> Iterator[float]:
    """Yield how much of the gradient of some output positions is at other input positions, where
    the kind says that there is none.

    Any two positions are told apart by a digit of their binary numbers.
    """
    if not section.kind.local:
        return
    f, result = batch.activations[section.source.index], batch.activations[section.target.index]
    if f.shape[1] != result.shape[1]:
        yield torch.inf
        return
    pullback = torch.func.vjp(lambda z: section(z, batch.constants), f)[1]
    numbers = torch.arange(f.shape[1], device=f.device)
    for digit in range(f.shape[1].bit_length()):
        for value in (0, 1):
            chosen = (numbers >> digit) & 1 == value
            (gradient,) = pullback(_random_like(result) * chosen[:, None])
            elsewhere = (gradient * ~chosen[:, None]).abs().max()
            yield float(elsewhere / gradient.abs().max().clamp_min(1e-30))


def _random_like(x: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x)


def _error(found: Tensor, truth: Tensor) -> float:
    if found.shape != truth.shape:
        return torch.inf
    return float((found - truth).abs().max() / truth.abs().max().clamp_min(1e-30))


def _tolerance(values: Tensor) -> float:
    return 1e-9 if values.dtype == torch.float64 else ROUGH
