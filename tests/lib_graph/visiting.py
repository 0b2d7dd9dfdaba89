"""Tensors in nested containers, and hooks that read or replace them as a module runs."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


def tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors of nested containers, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from tensors(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from tensors(each)
    elif dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            yield from tensors(getattr(value, each.name))


def mapped(value: Any, of: Callable[[Tensor], Tensor]) -> Any:
    """Return nested containers with every tensor passed through a function.

    Containers whose tensors stay stay too: a module may go on filling them.
    """
    if isinstance(value, Tensor):
        return of(value)
    if isinstance(value, Mapping):
        before = dict(value)
    elif isinstance(value, tuple | list):
        before = dict(enumerate(value))
    elif dataclasses.is_dataclass(value):
        before = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
    else:
        return value
    changed = {key: mapped(each, of) for key, each in before.items()}
    if all(changed[key] is each for key, each in before.items()):
        return value
    if isinstance(value, Mapping):
        return changed if type(value) is dict else _refilled(value, changed)
    if isinstance(value, tuple | list):
        items = [*changed.values()]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return dataclasses.replace(value, **changed)


def _refilled(value: Any, items: dict[str, Any]) -> Any:
    other = copy.copy(value)
    for key, item in items.items():
        other[key] = item
    return other


def _first_replaced(value: Any, of: Callable[[Tensor], Tensor]) -> Any:
    """Return nested containers with their first float tensor passed through a function."""
    first = next((x for x in tensors(value) if x.is_floating_point()), None)
    return mapped(value, lambda x: of(x) if x is first else x)


@contextmanager
def visited(
    module: nn.Module,
    points: set[str],
    given: Mapping[str, Tensor],
    found: dict[str, Tensor],
    *,
    in_place: bool,
) -> Iterator[None]:
    """Read or replace, while the context lasts, the first float tensor at each point."""
    uses: dict[tuple[str, str], int] = {}
    handles = []

    def visit(path: str, side: str, value: Any) -> Any:
        uses[path, side] = uses.get((path, side), 0) + 1
        for point in (f"{path}:{side}", f"{path}#{uses[path, side]}:{side}"):
            if point in points:

                def swap(x: Tensor, point: str = point) -> Tensor:
                    if point in given:
                        found[point] = given[point]
                        return x.copy_(given[point]) if in_place else given[point].clone()
                    found[point] = x.clone()
                    return x

                value = _first_replaced(value, swap)
        return value

    for path in {point.rpartition(":")[0].partition("#")[0] for point in points} - {""}:
        submodule = module.get_submodule(path)
        handles.append(
            submodule.register_forward_pre_hook(
                lambda _, args, kwargs, path=path: visit(path, "in", (args, kwargs)),
                with_kwargs=True,
            )
        )
        handles.append(
            submodule.register_forward_hook(
                lambda _, __, result, path=path: visit(path, "out", result)
            )
        )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
