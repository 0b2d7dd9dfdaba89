"""Which sections take the same memory, so that one of them is measured for all."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor

from lib_graph.method.network import Batch, Section

__all__ = ["unlike"]


def unlike(
    sections: Iterable[Section], probe: Batch, *features: Mapping[str, int]
) -> list[Section]:
    """Return the first of all sections that take the same memory, as far as can be told.

    Those are alike whose kinds, layers and numbers of features, by layer, have the same sizes; of
    a kind that does not know its function, every section counts.
    """
    found: dict[Hashable, Section] = {}
    for section in sections:
        found.setdefault(_likeness(section, probe, features), section)
    return [*found.values()]


def _likeness(section: Section, probe: Batch, features: Iterable[Mapping[str, int]]) -> Hashable:
    ends = section.source, section.target
    sizes = [(layer.shapes, *(each[layer.name] for each in features)) for layer in ends]
    known = section.kind(probe.activations[section.source.index]) is not None
    return *sizes, _form(section.kind) if known else tuple(layer.index for layer in ends)


def _form(value: Any) -> Hashable:
    """Return what a kind is, but for the numbers in its tensors."""
    if isinstance(value, Tensor):
        return (*value.shape, value.dtype)
    if is_dataclass(value):
        return type(value), tuple(_form(getattr(value, field.name)) for field in fields(value))
    return repr(value)
