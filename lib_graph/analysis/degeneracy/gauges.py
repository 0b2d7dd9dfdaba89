"""Changes of the parameters that are known to change no result on any input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from itertools import pairwise
from typing import Any

from lib_graph.kinds import Attention, Fixed, GatedMLP, Linear, Perceptron, ResidualMLP, Rotary
from lib_graph.method.network import Section

__all__ = ["Gauge", "gauges_of"]


@dataclass(frozen=True)
class Gauge:
    """`directions` ways to change parameters, `name` says which, of the section after `layer`."""

    layer: str
    name: str
    directions: int


def gauges_of(sections: Sequence[Section]) -> list[Gauge]:
    """Return the gauge freedoms in sections of known kinds, and between two of them."""
    within = [
        Gauge(section.source.name, name, number)
        for section in sections
        for name, number in _within(section.kind)
    ]
    between = [
        Gauge(one.source.name, name, number)
        for one, two in pairwise(sections)
        if isinstance(two.kind, Linear | Perceptron)
        for name, number in _before_a_linear_map(one.kind)
    ]
    return within + between


@singledispatch
def _within(kind: Any) -> list[tuple[str, int]]:
    """Return the freedoms inside a section of a kind."""
    return []


@_within.register
def _(kind: ResidualMLP) -> list[tuple[str, int]]:
    return [("scale of each ReLU unit", len(kind.w_out))] if kind.activation == "relu" else []


@_within.register
def _(kind: GatedMLP) -> list[tuple[str, int]]:
    found = [("scale of each gated unit", len(kind.w_out))]
    if kind.activation == "relu":
        found.append(("scale of each ReLU unit", len(kind.w_out)))
    return found


@_within.register
def _(kind: Attention) -> list[tuple[str, int]]:
    """A head's keys and values, with all queries that it serves."""
    (g, _, e), values = kind.w_k.shape, kind.w_v.shape[-1]
    found = [("basis of W_V and W_O per head", len(kind.w_v) * values**2)]
    if isinstance(kind.positions, Fixed):
        found.append(("basis of W_Q and W_K per head", g * e**2))
    elif isinstance(kind.positions, Rotary):
        found.append(("scale and phase of each rotary pair of W_Q and W_K per head", g * e))
    return found


def _before_a_linear_map(kind: object) -> list[tuple[str, int]]:
    if isinstance(kind, Perceptron) and kind.activation == "relu":
        return [("scale of each ReLU unit", kind.weight.shape[1])]
    if isinstance(kind, Linear):
        return [("basis between two linear maps", kind.weight.shape[1] ** 2)]
    return []
