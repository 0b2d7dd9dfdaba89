"""Arguments and results of modules: tensors in nested containers."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from lib_graph.errors import UsageError

__all__ = ["POSITIONAL", "Form", "first_number", "form_of", "mapped", "tensors", "version"]


def tensors(value: Any, place: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in tuples, lists, dicts and dataclasses, in order, with their places.

    >>> import torch
    >>> [place for place, _ in tensors({"a": torch.ones(1), "b": (None, torch.ones(1))})]
    ['a', 'b.1']
    """
    if isinstance(value, Tensor):
        yield place, value
    else:
        for key, item in _items(value):
            yield from tensors(item, f"{place}.{key}" if place else str(key))


def mapped(value: Any, function: Callable[[Any], Any], leaf: type = Tensor) -> Any:
    """Return the same containers with every tensor passed through a function, in order.

    Containers in which nothing changes are those that were given.

    >>> import torch
    >>> mapped({"a": torch.ones(2), "b": [None, 3]}, len)
    {'a': 2, 'b': [None, 3]}
    """
    if isinstance(value, leaf):
        return function(value)
    before = _items(value)
    items = [(key, mapped(item, function, leaf)) for key, item in before]
    if all(new is old for (_, new), (_, old) in zip(items, before, strict=True)):
        return value
    if type(value) is dict:
        return dict(items)
    if isinstance(value, tuple | list):
        parts = [item for _, item in items]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    changed: Any = copy.copy(value)
    for key, item in items:
        if isinstance(value, Mapping):
            changed[key] = item
        else:
            object.__setattr__(changed, key, item)
    return changed


def first_number(value: Any) -> Tensor | None:
    """Return the first floating-point tensor in nested containers, what they count as; or None."""
    return next((x for _, x in tensors(value) if x.is_floating_point()), None)


def version(x: Tensor) -> int:
    """Return how often a tensor was changed in place; tensors of inference mode do not count.

    >>> import torch
    >>> version(torch.ones(1)), version(torch.ones(1).add_(1).mul_(2))
    (0, 2)
    """
    return 0 if x.is_inference() else x._version


def _items(value: Any) -> list[tuple[Any, Any]]:
    """Return what is in a container, with its places; nothing for anything else."""
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, tuple | list):
        return list(enumerate(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    return []


@dataclass(frozen=True)
class _Place:
    """Where the tensor of a number goes."""

    number: int


@dataclass(frozen=True)
class Form:
    """How tensors, side by side, are put into the arguments of a call.

    `structure` is None where each tensor is an argument; `places` says where they go otherwise.
    """

    structure: Any = None
    places: tuple[str, ...] = ()

    def __call__(self, values: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return positional and keyword arguments."""
        if self.structure is None:
            return tuple(values), {}
        filled = mapped(self.structure, lambda place: values[place.number], _Place)
        if isinstance(filled, Mapping):
            return (), dict(filled)
        return tuple(filled), {}

    def names(self, count: int) -> tuple[str, ...]:
        """Return what so many tensors are called: their numbers, unless they have places."""
        return self.places or tuple(map(str, range(count)))


POSITIONAL = Form()


def form_of(data: Any) -> tuple[tuple[Tensor, ...], Form]:
    """Return the tensors of the arguments `data`, and the form that puts them back.

    A tensor is the one argument; a tuple or list has the arguments by position, a dict those by
    keyword. There may be containers in them, and values that are no tensors, which are the same
    for all samples.

    >>> import torch
    >>> values, form = form_of({"x": torch.ones(2), "flag": True})
    >>> form(values)
    ((), {'x': tensor([1., 1.]), 'flag': True})

    Raises UsageError if there is no tensor, or if they have not the same number of samples.
    """
    holds = isinstance(data, Tensor | tuple | list | Mapping)
    found = list(tensors(data)) if holds else []
    if not found:
        raise UsageError(
            f"Data are tensors with the samples first, not {type(data).__name__}: a tensor, a "
            "tuple of arguments, or a dict of arguments by keyword."
        )
    values = tuple(x for _, x in found)
    lengths = [len(x) if x.ndim else 0 for x in values]
    if len({*lengths}) > 1 or not all(x.ndim for x in values):
        raise UsageError(
            f"The tensors of the data have {', '.join(map(str, lengths))} samples. All must have "
            "the same number; what is one for all samples is a number or a buffer of the module."
        )
    if isinstance(data, Tensor):
        return values, POSITIONAL
    if isinstance(data, tuple | list) and all(isinstance(x, Tensor) for x in data):
        return values, POSITIONAL
    numbers = iter(range(len(values)))
    structure = mapped(data, lambda _: _Place(next(numbers)))
    return values, Form(structure, tuple(place for place, _ in found))
