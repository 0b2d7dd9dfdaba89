"""What the graph of a section shows it to be, where nobody has declared it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx

from lib_graph.kinds import Linear, Perceptron
from lib_graph.method.kind import Kind

__all__ = ["recognise"]

ELEMENTWISE = {"relu": "relu", "tanh": "tanh", "sigmoid": "sigmoid", "silu": "silu"}


def recognise(graph: fx.Graph, parameters: Mapping[fx.Node, Tensor]) -> Kind:
    """Return what a section is: a linear map, or one with an activation behind, or a bare Kind.

    `parameters` are the values of the graph's placeholders that are parameters. The other
    placeholder has to be the one tensor that crosses the source layer.
    """
    activations = [n for n in graph.nodes if n.op == "placeholder" and n not in parameters]
    steps = [n for n in graph.nodes if n.op not in ("placeholder", "output")]
    (results,) = next(n for n in graph.nodes if n.op == "output").args
    if len(activations) != 1 or not 1 <= len(steps) <= 2 or list(results) != [steps[-1]]:
        return Kind()
    found = _linear(steps[0], activations[0], parameters)
    if found is None or len(steps) == 1:
        return found or Kind()
    activation = _activation(steps[1])
    if activation is None or steps[1].args[0] is not steps[0]:
        return Kind()
    return Perceptron(found.weight, found.bias, activation)


def _linear(step: fx.Node, source: fx.Node, parameters: Mapping[fx.Node, Tensor]) -> Linear | None:
    if step.target is not torch.ops.aten.linear.default:
        return None
    x, weight, bias, *_ = (*step.args, None)
    if x is not source or weight not in parameters or (bias and bias not in parameters):
        return None
    return Linear(_value(parameters, weight).T, _value(parameters, bias) if bias else None)


def _value(parameters: Mapping[fx.Node, Tensor], node: Any) -> Tensor:
    return parameters[node]


def _activation(step: fx.Node) -> str | None:
    if step.target is torch.ops.aten.gelu.default:
        return "gelu_tanh" if step.kwargs.get("approximate") == "tanh" else "gelu"
    name = getattr(step.target, "_opname", "")
    return ELEMENTWISE.get(name)
