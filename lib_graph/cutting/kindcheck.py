"""Checks of what the sections of a network were said, or found, to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from lib_graph.cutting.survey import relative_error
from lib_graph.errors import ModelError
from lib_graph.method.forward import derivative, pulling_back
from lib_graph.method.kind import Kind
from lib_graph.method.network import Batch, Layer, Network, Section

__all__ = ["along", "check_kinds", "declared", "random_like", "tolerance"]

ROUGH = 1e-4  # what float32 can differ by
FORMS = (
    "values",
    "second_moment",
    "interactions",
    "narrowed",
    "masked",
)  # of a kind, computed from its F


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


def check_kinds(network: Network, inputs: tuple[Tensor, ...], *, derivatives: bool = True) -> float:
    """Return the largest error of the declared kinds, in value and derivative or in value alone,
    relative to the largest entry. Raises ModelError, naming the section, if a declaration is wrong.
    """
    batch = network.run(*inputs)
    worst = 0.0
    for section in network.sections:
        errors = [_in_value(section, batch)]
        if derivatives:
            errors += [*_in_derivative(section, batch), *_between_positions(section, batch)]
        error = float(torch.tensor(errors, dtype=torch.float64).max())  # NaN where one of them is
        worst = max(worst, error)
        if not error < tolerance(batch.activations[section.source.index]):
            raise ModelError(
                f"The section after layer {section.source.name!r} is not the "
                f"{type(section.kind).__name__} it was declared to be (error {error:.1e} of "
                "the largest entry). Leave the declaration out."
            )
    return worst


def _in_value(section: Section, batch: Batch) -> float:
    """Return how far a kind's F is from the section; 0 for a kind that has no F.

    Raises ModelError for a kind that has closed forms of an F that it does not say.
    """
    f, kind = batch.activations[section.source.index], section.kind
    told = kind(f)
    if told is None:
        own = [name for name in FORMS if getattr(type(kind), name) is not getattr(Kind, name)]
        if own:
            raise ModelError(
                f"{type(kind).__name__}, the section after layer {section.source.name!r}, has "
                f"{own[0]}() but no __call__(f) that it can be checked by. Let that return F(f)."
            )
        return 0.0
    return relative_error(told, along(section, batch)(f))


def _in_derivative(section: Section, batch: Batch) -> Iterator[float]:
    """Yield how far the derivative of a kind's F along a direction is from the section's."""
    f, kind, of = batch.activations[section.source.index], section.kind, along(section, batch)
    if kind(f) is None:
        return

    def told(z: Tensor) -> Tensor:
        value = kind(z)
        assert value is not None
        return value

    tangent = (random_like(f),)
    yield relative_error(derivative(told, (f,), tangent), derivative(of, (f,), tangent))


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
    back, noise = pulling_back(along(section, batch), f), random_like(result)
    numbers = torch.arange(f.shape[1], device=f.device)
    for digit in range(f.shape[1].bit_length()):
        for value in (0, 1):
            chosen = (numbers >> digit) & 1 == value
            gradient = back(noise * chosen[:, None])
            elsewhere = (gradient * ~chosen[:, None]).abs().max()
            yield float(elsewhere / gradient.abs().max().clamp_min(1e-30))


def along(section: Section, batch: Batch) -> Callable[[Tensor], Tensor]:
    """Return a section as a function of activations alone."""
    return lambda z: section(z, batch.constants)


def random_like(x: Tensor) -> Tensor:
    """Return numbers of a normal distribution, the same for any tensor of this shape."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x)


def tolerance(values: Tensor) -> float:
    """Return the relative error that rounding makes in the precision of some values."""
    return 1e-9 if values.dtype == torch.float64 else ROUGH
