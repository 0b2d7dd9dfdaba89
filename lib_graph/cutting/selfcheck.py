"""Checks of a network against the module it was cut out of, made at every build."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lib_graph.cutting.arguments import first_number
from lib_graph.cutting.copies import fresh
from lib_graph.cutting.following import followed
from lib_graph.cutting.kindcheck import along, check_kinds, random_like, tolerance
from lib_graph.cutting.points import record, result_of, visits
from lib_graph.cutting.survey import finest, relative_error
from lib_graph.cutting.traced import Course
from lib_graph.errors import ModelError
from lib_graph.method.forward import derivative, pulled_back
from lib_graph.method.network import Network
from lib_graph.support.texts import first_line

__all__ = ["check"]

logger = logging.getLogger(__name__)


@torch.no_grad()
def check(
    network: Network,
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    layers: Mapping[str, str],
    course: Course | None = None,
    *,
    held: bool = False,
    derivatives: bool = True,
) -> dict[str, float]:
    """Return the figures of the checks of a network, which was cut at the given layers.

    With `held`, some tensors that bypass layers are no part of the derivative, which then is not
    the module's. Without `derivatives`, values alone are checked.

    Raises ModelError if the network is not what its module is, in value or derivative, if samples
    influence each other, or if a kind is not what was declared.
    """
    course = course or Course(dtype=finest(module, inputs))
    figures = {"chain_error": _check_chain(network, module, inputs, layers, course)}
    _check_samples(network, inputs)
    figures["kind_error"] = check_kinds(network, inputs, derivatives=derivatives)
    if not derivatives:
        return figures
    few = tuple(x[:2] for x in inputs)
    figures["mode_error"] = _check_modes(network, few)
    error = None if held else _check_derivative(network, module, few, layers, course)
    if error is not None:
        figures["derivative_error"] = error
    return figures


def _check_chain(
    network: Network,
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    layers: Mapping[str, str],
    course: Course,
) -> float:
    """Return the largest error of the chain of sections against the module itself, relative to the
    largest activation of the layer. Raises ModelError, naming the layer where they part.
    """
    expected = record(module, inputs, layers.values(), course.form, course.dtype)
    batch = network.run(*inputs)
    worst = 0.0
    for layer, found in zip(network.layers, batch.activations, strict=True):
        error = relative_error(layer.unpack(found)[0], expected[layers[layer.name]])
        worst = max(worst, error)
        if not error < tolerance(found):
            raise ModelError(
                f"The sections and the module part at layer {layer.name!r}: their activations "
                f"differ by {error:.1e} of the largest. Please report this module."
            )
    return worst


def _check_modes(network: Network, inputs: tuple[Tensor, ...]) -> float:
    """Return how far forward and backward mode are from each other, at the worst section.

    ⟨v, J t⟩ = ⟨Jᵀv, t⟩ for any t and v. Raises ModelError, naming the section, if they are not
    alike, or if there is none of them.
    """
    batch = network.run(*inputs)
    worst = 0.0
    for section in network.sections:
        f = batch.activations[section.source.index]
        of = along(section, batch)
        t, v = random_like(f), random_like(batch.activations[section.target.index])
        try:
            forth = derivative(of, (f,), (t,)) * v
            back = pulled_back(of, f, v) * t
        except Exception as failure:
            raise ModelError(
                f"The section after layer {section.source.name!r} has no derivative of both modes "
                f"in {f.dtype} ({first_line(failure):.200}). Cut around what has none, try "
                "the other --dtype, or pass a module whose plain implementation is switched on."
            ) from failure
        size = forth.abs().sum() + back.abs().sum()
        error = float((forth.sum() - back.sum()).abs() / size.clamp_min(1e-30))
        worst = max(worst, error)
        if not error < tolerance(f):
            raise ModelError(
                f"In the section after layer {section.source.name!r} forward and backward mode of "
                f"torch disagree (by {error:.1e}). Please report this module."
            )
    return worst


def _check_derivative(
    network: Network,
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    layers: Mapping[str, str],
    course: Course,
) -> float | None:
    """Return how far the chain's derivative, from the last layer's own tensor to the first one's,
    is from that of the module itself by torch's autograd; None if that cannot take any.

    Raises ModelError if it is another.
    """
    batch, last = network.run(*inputs), network.layers[-1]
    own, *beside = last.unpack(batch.activations[-1])
    v = last.pack([random_like(own), *map(torch.zeros_like, beside)])
    with torch.enable_grad():
        try:
            truth = _pulled_by_module(network, module, inputs, layers, course, v)
        except RuntimeError as failure:
            logger.info("the module has no derivative of its own to compare with: %s", failure)
            return None
    gradient = v
    for section in reversed(network.sections):
        f = batch.activations[section.source.index]
        gradient = pulled_back(along(section, batch), f, gradient)
    found = network.layers[0].unpack(gradient)[0]
    error = relative_error(found, truth)
    if not truth.abs().max() > 0:
        error = float(found.abs().max())
    if not error < 1e3 * tolerance(found):
        raise ModelError(
            f"The derivative of the sections is not that of the {type(module).__name__} itself: "
            f"they differ by {error:.1e} of the largest. If it applies an autograd function under "
            "another name (f = F.apply), write F.apply there; take hooks on gradients off; else "
            "please report this module."
        )
    return error


def _pulled_by_module(
    network: Network,
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    layers: Mapping[str, str],
    course: Course,
    v: Tensor,
) -> Tensor:
    """Return what autograd brings back to the first layer's tensor, of `v` at the last layer."""
    first, *_, last = (layers[layer.name] for layer in network.layers)
    kept: dict[str, Tensor] = {}

    def visit(x: Tensor, point: str) -> Tensor:
        x.requires_grad_()  # numbers made of tokens do not by themselves
        kept[point] = x.clone() if point in course.overwritten else x
        return x.copy_(kept[point]) if point in course.overwritten else x

    alone = fresh(module)
    fixed = [p for p in alone.parameters() if not p.requires_grad and first_number(p) is not None]
    for p in fixed:
        p.requires_grad_(True)
    free = [x.clone().requires_grad_().clone() if x.is_floating_point() else x for x in inputs]
    try:
        with followed(course.dtype, alone, free), visits(alone, (first, last), visit):
            result = result_of(alone, free, course.form)
            reached = network.layers[-1].unpack(v)[0] * kept.get(last, result)
            if not reached.requires_grad:
                return torch.zeros_like(kept[first])
            (found,) = torch.autograd.grad(reached.sum(), kept[first], materialize_grads=True)
    finally:
        for p in fixed:
            p.requires_grad_(False)
    return found


def _check_samples(network: Network, inputs: tuple[Tensor, ...]) -> None:
    """Raise ModelError, naming the layer, if a sample's activations depend on its batch."""
    batch, alone = network.run(*inputs), network.run(*(x[:1] for x in inputs))
    for layer, among, single in zip(
        network.layers, batch.activations, alone.activations, strict=True
    ):
        error = relative_error(among[:1], single)
        if not error < tolerance(single):
            raise ModelError(
                f"What layer {layer.name!r} computes from a sample depends on the other samples of "
                f"its batch (by {error:.1e} of the largest), so features have no meaning there."
            )
