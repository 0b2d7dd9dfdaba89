"""Elementwise activation functions and their derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lib_graph.method.rules import Rule

__all__ = ["ACTIVATIONS", "Activation", "mean_slopes"]


class Activation(NamedTuple):
    """A function of each entry, and its derivative."""

    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]


def _gelu_slope(x: Tensor) -> Tensor:
    density = torch.exp(-x.square() / 2) / math.sqrt(2 * math.pi)
    slope: Tensor = torch.special.ndtr(x) + x * density
    return slope


def _gelu_tanh(x: Tensor) -> Tensor:
    return functional.gelu(x, approximate="tanh")


def _gelu_tanh_slope(x: Tensor) -> Tensor:
    c = math.sqrt(2 / math.pi)
    t = torch.tanh(c * (x + 0.044715 * x**3))
    return (1 + t) / 2 + x * (1 - t.square()) * (c / 2) * (1 + 3 * 0.044715 * x.square())


def _silu_slope(x: Tensor) -> Tensor:
    s = torch.sigmoid(x)
    return s * (1 + x * (1 - s))


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(lambda x: x, torch.ones_like),
    "relu": Activation(torch.relu, lambda x: (x > 0).to(x.dtype)),
    "tanh": Activation(torch.tanh, lambda x: 1 - torch.tanh(x).square()),
    "sigmoid": Activation(torch.sigmoid, lambda x: torch.sigmoid(x) * torch.sigmoid(-x)),
    "silu": Activation(functional.silu, _silu_slope),
    "gelu": Activation(functional.gelu, _gelu_slope),
    "gelu_tanh": Activation(_gelu_tanh, _gelu_tanh_slope),
}


def mean_slopes(activation: str, x: Float[Tensor, "ns h"], rule: Rule) -> Float[Tensor, "ns h"]:
    """Return m = ∫ act'(α x) dα."""
    nodes = zip(rule.nodes, rule.weights, strict=True)
    return torch.stack([w * ACTIVATIONS[activation].slope(alpha * x) for alpha, w in nodes]).sum(0)
