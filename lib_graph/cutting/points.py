"""Points of a module that a layer can be, and the tensors there, found by hooks.

A point is PATH:in or PATH:out, the first floating-point tensor that a submodule is called with or
returns, or `output`, that of the module's own result. PATH#2:in is the second use of a submodule;
without a number the last one counts.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lib_graph.cutting.arguments import POSITIONAL, Form, first_number, mapped
from lib_graph.cutting.copies import fresh
from lib_graph.cutting.following import checkpoints_as_they_are, followed
from lib_graph.errors import LibGraphError, ModelError, UsageError
from lib_graph.kinds.norm import Norm
from lib_graph.kinds.norm_form import NormForm
from lib_graph.support.texts import first_line

__all__ = [
    "OUTPUT",
    "is_point",
    "is_variance",
    "points",
    "record",
    "result_of",
    "running",
    "shapes",
    "visits",
]

OUTPUT, VARIANCE = "output", "variance"
PLACE = re.compile(r"(?P<path>.+?)(#(?P<use>[1-9]\d*))?:(?P<side>in|out|variance)")

Visit = Callable[[Tensor, str], Tensor]


def points(module: nn.Module) -> list[str]:
    """Return every point of a module that a layer can be: its submodules' inputs and outputs, and
    inside whatever computes a LayerNorm or RMSNorm the variance, with which its input crosses.

    A submodule that has several names has points under each.

    >>> points(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
    ['0:in', '0:out', '1:in', '1:out', 'output']
    """
    found = []
    for path, submodule in module.named_modules(remove_duplicate=False):
        if path:
            inside = [] if NormForm.of(submodule) is None else [VARIANCE]
            found += [f"{path}:{side}" for side in ("in", *inside, "out")]
    return [*found, OUTPUT]


def is_point(module: nn.Module, point: str) -> bool:
    """Return whether a point is one of a module's, or a use of one.

    >>> is_point(nn.Sequential(nn.ReLU()), "0#2:in"), is_point(nn.Sequential(nn.ReLU()), "1:in")
    (True, False)
    """
    place = PLACE.fullmatch(point)
    if place is None:
        return point == OUTPUT
    try:
        submodule = module.get_submodule(place["path"])
    except AttributeError:
        return False
    return place["side"] != VARIANCE or NormForm.of(submodule) is not None


def is_variance(point: str) -> bool:
    """Return whether a point is the variance in a norm.

    >>> is_variance("blocks.0.norm:variance"), is_variance("blocks.0.norm:in")
    (True, False)
    """
    return point.endswith(f":{VARIANCE}")


@contextlib.contextmanager
def running(module: nn.Module, data: str = "the data") -> Iterator[None]:
    """Say in one line that a module cannot run: raises ModelError in place of its own errors."""
    try:
        yield
    except LibGraphError:
        raise
    except Exception as error:
        raise ModelError(
            f"The {type(module).__name__} cannot run on {data} ({first_line(error):.200}). --debug "
            "shows where."
        ) from error


def result_of(
    module: nn.Module, inputs: Sequence[Tensor], form: Form = POSITIONAL, *, clone: bool = True
) -> Tensor:
    """Return what a module's result counts as: its first floating-point tensor.

    The module may change clones of the inputs. Raises ModelError if there is none.
    """
    args, kwargs = form([x.clone() if clone else x for x in inputs])
    with checkpoints_as_they_are():
        result = module(*args, **kwargs)
    found = first_number(result)
    if found is None:
        raise ModelError(
            f"The {type(module).__name__} returns no floating-point tensor, but a "
            f"{type(result).__name__}. Return a tensor, or a tuple, dict or dataclass with one."
        )
    return found


def record(
    module: nn.Module,
    inputs: Sequence[Tensor],
    wanted: Iterable[str],
    form: Form = POSITIONAL,
    dtype: torch.dtype | None = None,
) -> dict[str, Tensor]:
    """Return what the module itself computes at the given points.

    With `dtype` it is followed in that precision (`lib_graph.cutting.following`), else it runs as
    it is. Raises UsageError if the module does not reach a point.
    """
    found: dict[str, Tensor] = {}
    wanted = list(wanted)
    inside = [point for point in wanted if is_variance(point)]

    def keep(x: Tensor, point: str) -> Tensor:
        found[point] = x.clone()
        return x

    seen = [*(set(wanted) - set(inside)), *map(_before_norm, inside)]
    module = fresh(module)
    within = torch.no_grad() if dtype is None else followed(dtype, module, inputs)
    with visits(module, seen, keep), within:
        found[OUTPUT] = result_of(module, inputs, form).clone()
    for point in inside:
        found[point] = _norm(module, point).variance(found[_before_norm(point)])
    for point in wanted:
        if point not in found:
            raise UsageError(f"Point {point!r} is not computed on this input. Leave it out.")
    return {point: x.detach() for point, x in found.items()}


@torch.no_grad()
def shapes(
    module: nn.Module, inputs: Sequence[Tensor], form: Form = POSITIONAL
) -> dict[str, tuple[int, ...]]:
    """Return the points that can be layers, in the order of the computation, with their shapes.

    Those are the points that these inputs reach and that carry numbers, samples on the first axis,
    which is left out of the shape. Of a submodule that runs several times each use is a point; its
    last one has the name without a number.

    >>> shapes(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), (torch.ones(4, 2),))
    {'0:in': (2,), '0:out': (3,), '1:in': (3,), '1:out': (3,), 'output': (3,)}
    """
    samples = len(inputs[0])
    seen: dict[str, list[tuple[str, tuple[int, ...] | None]]] = {}
    order: list[str] = []

    def note(point: str, value: Any) -> None:
        x = first_number(value)
        usable = x is not None and 2 <= x.ndim <= 4 and len(x) == samples
        uses = seen.setdefault(point, [])
        path, _, side = point.rpartition(":")
        uses.append((f"{path}#{len(uses) + 1}:{side}", tuple(x.shape[1:]) if usable else None))  # type: ignore[union-attr]
        order.append(uses[-1][0])

    module = fresh(module)
    for path, part in module.named_modules():
        if path:
            part.register_forward_pre_hook(
                lambda _, args, named, path=path: note(f"{path}:in", (args, named)),
                with_kwargs=True,
            )
            if (form_of_norm := NormForm.of(part)) is not None:
                part.register_forward_hook(
                    lambda part, args, _, path=path, form=form_of_norm: note(
                        f"{path}:{VARIANCE}", form.norm(part).variance(args[0])
                    )
                )
            part.register_forward_hook(lambda _, __, result, path=path: note(f"{path}:out", result))
    with running(module):
        result = result_of(module, inputs, form)
    return _listed(seen, order) | {OUTPUT: tuple(result.shape[1:])}


def _listed(
    seen: dict[str, list[tuple[str, tuple[int, ...] | None]]], order: list[str]
) -> dict[str, tuple[int, ...]]:
    """Return shapes by point: by uses where there are several, the last by the name alone."""
    names = {}
    for point, uses in seen.items():
        for number, (use, shape) in enumerate(uses, 1):
            if shape is not None:
                names[use] = (point if number == len(uses) else use, shape)
    return dict(names[use] for use in order if use in names)


@contextlib.contextmanager
def visits(module: nn.Module, wanted: Iterable[str], visit: Visit) -> Iterator[None]:
    """Pass, while the context lasts, the first float tensor at each point through `visit`.

    Of a submodule without a number of its use each use is visited, so that the last one counts.
    """
    handles = []
    for point in wanted:
        if point == OUTPUT:
            continue
        place = PLACE.fullmatch(point)
        assert place is not None, point
        submodule, side = module.get_submodule(place["path"]), place["side"]
        chosen = _counting(visit, int(place["use"]) if place["use"] else None)
        if side == VARIANCE:
            handles.append(submodule.register_forward_hook(_inside(submodule, point, chosen)))
        elif side == "in":
            hook = _before(point, chosen)
            handles.append(submodule.register_forward_pre_hook(hook, with_kwargs=True))
        else:
            handles.append(submodule.register_forward_hook(_after(point, chosen)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _counting(visit: Visit, use: int | None) -> Visit:
    """Return a visit at one use alone; at every one without a number."""
    seen = 0

    def chosen(x: Tensor, point: str) -> Tensor:
        nonlocal seen
        seen += 1
        return visit(x, point) if use in (None, seen) else x

    return chosen


def _visited(value: Any, point: str, visit: Visit) -> Any:
    """Return the same containers, their first float tensor passed through a visit."""
    first = first_number(value)
    if first is None:
        raise UsageError(f"Point {point!r} carries no floating-point tensor. Choose another.")
    changed = visit(first, point)
    return mapped(value, lambda x: changed if x is first else x)


def _before(point: str, visit: Visit) -> Callable[..., Any]:
    def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return _visited((args, kwargs), point, visit)

    return hook


def _after(point: str, visit: Visit) -> Callable[..., Any]:
    def hook(_: nn.Module, args: tuple[Any, ...], result: Any) -> Any:
        return _visited(result, point, visit)

    return hook


def _before_norm(point: str) -> str:
    return point.removesuffix(VARIANCE) + "in"


def _norm(module: nn.Module, point: str) -> Norm:
    place = PLACE.fullmatch(point)
    assert place is not None, point
    submodule = module.get_submodule(place["path"])
    form = NormForm.of(submodule)
    assert form is not None, point
    return form.norm(submodule)


def _inside(module: nn.Module, point: str, visit: Visit) -> Callable[..., Any]:
    """Return a hook that computes a norm again, in two steps with a visit between."""
    form = NormForm.of(module)
    assert form is not None, point

    def hook(module: nn.Module, args: tuple[Any, ...], _: Any) -> Any:
        norm = form.norm(module)
        return norm.with_variance(args[0], visit(norm.variance(args[0]), point))

    return hook
