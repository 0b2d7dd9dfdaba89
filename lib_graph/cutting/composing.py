"""Sections that follow each other, as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from torch import Tensor

from lib_graph.kinds import Linear, Perceptron
from lib_graph.kinds.hidden_units import HiddenUnits
from lib_graph.method.network import Constants, Kind, Section
from lib_graph.method.position_local import PositionLocal

__all__ = ["compose"]

LOCAL = (Linear, Perceptron, HiddenUnits, PositionLocal)


def compose(sections: Sequence[Section]) -> Section:
    """Return the section from the source of the first to the target of the last.

    Linear maps give a linear map, with its closed forms; of others it is known at most that nothing
    passes between positions.
    """
    if len(sections) == 1:
        return sections[0]

    def function(
        tensors: Sequence[Tensor], parameters: Mapping[str, Tensor], constants: Constants
    ) -> Sequence[Tensor]:
        for section in sections:
            tensors = section.function(tensors, parameters, constants)
        return tensors

    return Section(
        sections[0].source,
        sections[-1].target,
        function,
        {name: value for section in sections for name, value in section.parameters.items()},
        tuple(dict.fromkeys(name for section in sections for name in section.biases)),
        _kind([section.kind for section in sections]),
    )


def _kind(kinds: Sequence[Kind | PositionLocal | None]) -> Linear | PositionLocal | None:
    linear = [kind for kind in kinds if isinstance(kind, Linear)]
    if len(linear) == len(kinds):
        return reduce(_after, linear)
    return PositionLocal() if all(isinstance(kind, LOCAL) for kind in kinds) else None


def _after(first: Linear, second: Linear) -> Linear:
    """Return f ↦ (f W₁ + b₁) W₂ + b₂."""
    bias = second.bias
    if first.bias is not None:
        bias = second(first.bias)
    return Linear(first.weight @ second.weight, bias)
