"""Checks of a network against the module it was cut out of, made at every build."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from lib_graph.errors import ModelError
from lib_graph.forward import derivative
from lib_graph.network import Constants, Network, Section
from lib_graph.tracing import record

__all__ = ["check_chain", "check_kinds", "check_samples"]

ROUGH = 1e-4  # what float32 can differ by


@torch.no_grad()
def check_chain(
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


@torch.no_grad()
def check_samples(network: Network, inputs: tuple[Tensor, ...]) -> None:
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


@torch.no_grad()
def check_kinds(network: Network, inputs: tuple[Tensor, ...]) -> float:
    """Return the largest error of the declared kinds, in value and derivative, relative to the
    largest entry. Raises ModelError, naming the section, if a declaration is wrong.
    """
    batch = network.run(*inputs)
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for section, f in zip(network.sections, batch.activations, strict=False):
        if section.local:
            worst = max(worst, _check_local(section, f, batch.constants))
        if section.kind is None:
            continue
        tangent = torch.randn(f.shape, generator=generator, dtype=torch.float64).to(f)

        def computed(z: Tensor, section: Section = section) -> Tensor:
            return section(z, batch.constants)

        for truth, found in (
            (computed(f), section.kind(f)),
            (derivative(computed, (f,), (tangent,)), derivative(section.kind, (f,), (tangent,))),
        ):
            error = _error(found, truth)
            worst = max(worst, error)
            if not error < _tolerance(f):
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


def _check_local(section: Section, f: Tensor, constants: Constants) -> float:
    """Return how much of a section's derivative goes to other positions: each sample moves at one.

    Raises ModelError if that is more than rounding.
    """
    n, s = f.shape[:2]
    here = torch.arange(s, device=f.device) == torch.arange(n, device=f.device)[:, None] % s
    moved = derivative(lambda z: section(z, constants), (f,), (f * here[..., None],))
    elsewhere = moved.masked_fill(here[..., None], 0) if moved.shape[1] == s else moved
    error = float(elsewhere.abs().max() / moved.abs().max().clamp_min(1e-30))
    if not error < _tolerance(f):
        raise ModelError(
            f"The section after layer {section.source.name!r} is not PositionLocal, as it was "
            f"declared to be: positions reach each other (by {error:.1e} of the largest "
            "derivative). Leave the declaration out."
        )
    return error


def _error(found: Tensor, truth: Tensor) -> float:
    if found.shape != truth.shape:
        return torch.inf
    return float((found - truth).abs().max() / truth.abs().max().clamp_min(1e-30))


def _tolerance(values: Tensor) -> float:
    return 1e-9 if values.dtype == torch.float64 else ROUGH
