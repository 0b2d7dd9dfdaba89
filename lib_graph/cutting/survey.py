"""What has to be known of a module before it is followed, found by running it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lib_graph.cutting.arguments import POSITIONAL, Form, version
from lib_graph.cutting.copies import converted, fresh
from lib_graph.cutting.following import followed, plain_kernels
from lib_graph.cutting.own_derivatives import OwnDerivatives, counted, in_graph
from lib_graph.cutting.points import is_variance, record, result_of, running, visits
from lib_graph.cutting.traced import Course
from lib_graph.errors import ModelError
from lib_graph.support.watching import Watching

__all__ = ["check_copy", "finest", "relative_error", "surveyed"]


def surveyed(
    module: nn.Module, inputs: Sequence[Tensor], wanted: Iterable[str], form: Form = POSITIONAL
) -> Course:
    """Return how a module is to be followed: in what precision, what it overwrites, and which of
    its autograd functions say themselves what their derivative is.

    Raises ModelError if the module does not answer twice alike, if its results are not finite, or
    if there is no derivative.
    """
    dtype, own = finest(module, inputs), OwnDerivatives()
    places = [point for point in wanted if not is_variance(point)]
    seen: dict[str, list[tuple[Tensor, int]]] = {}

    def look(x: Tensor, point: str) -> Tensor:
        seen.setdefault(point, []).append((x, version(x)))
        return x

    one, other = fresh(module), fresh(module)
    with followed(dtype, module, inputs):
        with running(module), visits(one, places, look), own.tried():
            result = result_of(one, inputs, form)
        again = result_of(other, inputs, form)
    _check_finite(module, inputs, result.detach())
    _check_repeats(module, result.detach(), again.detach())
    _check_names(module, inputs, form, dtype)
    overwritten = {
        point for point, uses in seen.items() if any(version(x) != then for x, then in uses)
    }
    return Course(form, dtype, own, frozenset(overwritten))


def _check_names(
    module: nn.Module, inputs: Sequence[Tensor], form: Form, dtype: torch.dtype
) -> None:
    """Raise ModelError if an autograd function is applied by a name that cannot be followed.

    What `f = F.apply` bound before is torch's own, and goes by whatever we put into its place.
    """
    alone = fresh(module)
    fixed = [p for p in alone.parameters() if not p.requires_grad and _is_number(p)]
    for p in fixed:
        p.requires_grad_(True)
    free = [x.clone().requires_grad_().clone() if _is_number(x) else x for x in inputs]
    try:
        with torch.enable_grad(), followed(dtype, alone, free), counted() as named:
            graph = in_graph(result_of(alone, free, form))
    except RuntimeError:  # there is no derivative at all, which is said elsewhere
        return
    finally:
        for p in fixed:
            p.requires_grad_(False)
    for function, times in graph.items():
        if times > named[function]:
            name = function.__name__
            raise ModelError(
                f"The autograd function {name!r} is applied under another name (f = {name}.apply), "
                f"by which its own derivative cannot be followed. Write {name}.apply(...) where it "
                "is used."
            )


def _check_finite(module: nn.Module, inputs: Sequence[Tensor], result: Tensor) -> None:
    """Raise ModelError if results are not finite, naming the inputs where these are not either."""
    if result.isfinite().all():
        return
    name = type(module).__name__
    for number, x in enumerate(inputs):
        finite = x.isfinite().flatten(1).all(1) if x.dim() > 1 else x.isfinite()
        if bad := (~finite).nonzero().flatten().tolist():
            raise ModelError(
                f"The data are not finite: argument {number} of the {name} has NaN or infinite "
                f"values, of the first {len(x)} samples in {', '.join(map(str, bad))} (from 0). "
                "Mend such samples, or leave them out."
            )
    raise ModelError(
        f"The results of the {name} are not finite on finite data. Look for NaN and infinite "
        "values among its weights."
    )


def _check_repeats(module: nn.Module, result: Tensor, again: Tensor) -> None:
    error = relative_error(again, result)
    if not error < 1e-3:
        raise ModelError(
            f"The {type(module).__name__} is random: run twice on the same inputs, its results "
            f"differ by {error:.1e} of the largest. Make what it draws a buffer or an input."
        )


@torch.no_grad()
def check_copy(
    module: nn.Module,
    given: nn.Module,
    inputs: Sequence[Tensor],
    wanted: Sequence[str],
    form: Form = POSITIONAL,
) -> float:
    """Return the largest error of a copy against the module as it was given, at all points.

    That one runs in its own precision, in eval mode, and they may differ by what that rounds to:
    the root of its epsilon. Raises ModelError, naming the point where they part, or the samples
    that are not finite.
    """
    alone = fresh(given).eval()
    own = next((p.dtype for p in given.parameters() if _is_number(p)), None)
    own = own.to_real() if own is not None and own.is_complex else own
    device = next((p.device for p in given.parameters()), inputs[0].device)
    arguments = [(x if own is None else converted(x, own)).to(device) for x in inputs]
    with running(given), plain_kernels(), _Rounding() as rounding:
        expected = record(alone, arguments, wanted, form)
    found = record(module, inputs, wanted, form, finest(module, inputs))
    worst = 0.0
    for point in wanted:
        truth = expected[point].to(found[point].device, found[point].dtype)
        error = relative_error(found[point], truth)
        worst = max(worst, error)
        kinds = {expected[point].dtype, found[point].dtype, *rounding.seen}
        kinds |= {p.dtype for p in given.parameters()}
        coarsest = max(torch.finfo(kind).eps for kind in kinds if kind.is_floating_point)
        if not error < coarsest**0.5:
            _check_finite(given, arguments, expected[point])
            again = record(alone, arguments, wanted, form)
            _check_repeats(given, expected[point], again[point])
            raise ModelError(
                f"In {found[point].dtype} the {type(given).__name__} is not what it is as it was "
                f"given: at {point!r} it differs by {error:.1e} of the largest. If that is its own "
                "rounding, pass module.float() or module.double(); if it chooses by precision, "
                "take --dtype float32."
            )
    return worst


class _Rounding(Watching):
    """Notices to which types numbers are rounded, where that is to less than they have."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[torch.dtype] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        before = args[0].dtype if func is torch.ops.aten._to_copy.default else None
        if before is not None and before.is_floating_point and before.itemsize > result.itemsize:
            self.seen.add(result.dtype)
        return result


def finest(module: nn.Module, inputs: Sequence[Tensor]) -> torch.dtype:
    """Return the finest precision of the parameters and inputs."""
    dtypes = [x.dtype for x in (*module.parameters(), *inputs) if _is_number(x)]
    real = [dtype.to_real() if dtype.is_complex else dtype for dtype in dtypes]
    return min(real, key=lambda dtype: torch.finfo(dtype).eps, default=torch.float32)


def relative_error(found: Tensor, truth: Tensor) -> float:
    """Return the largest difference over the largest number; infinite between other shapes."""
    if found.shape != truth.shape:
        return torch.inf
    if not truth.numel():
        return 0.0
    return float((found - truth).abs().max() / truth.abs().max().clamp_min(1e-30))


def _is_number(x: Tensor) -> bool:
    return x.is_floating_point() or x.is_complex()
