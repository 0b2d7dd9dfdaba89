"""Small random networks, and the slow ways to their derivatives that the fast ones must equal."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from lib_graph.cutting.cuts import cut
from lib_graph.method.basis import LayerBasis
from lib_graph.method.network import Network
from lib_graph.method.rules import Rule
from lib_graph.networks.modular_addition import (
    LAYERS,
    AdditionConfig,
    ModularAddition,
    kinds,
    split,
)
from lib_graph.networks.subject import Subject

CONFIG = AdditionConfig(modulus=7, d_vocab=8, d_model=10, d_head=3, n_heads=2, d_mlp=12)


def random_(module: nn.Module, seed: int = 0) -> nn.Module:
    """Fill all parameters, biases too, with random numbers, in float64."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double().eval()
    for parameter in module.parameters():
        values = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data = values * 0.7 + 0.1
    return module


def transformer(seed: int = 0) -> ModularAddition:
    module = random_(ModularAddition(CONFIG), seed)
    assert isinstance(module, ModularAddition)
    return module


def transformer_subject(seed: int = 0) -> Subject:
    return Subject("tiny", "tests", transformer(seed), (split(CONFIG)[0],), "tiny", LAYERS, kinds)


class Skip(nn.Module):
    """A block whose input bypasses what is computed from it, over two positions or more."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(d)
        self.up = nn.Linear(d, 2 * d)
        self.down = nn.Linear(2 * d, d)

    def forward(self, x: Tensor) -> Tensor:
        mixed = x + x.cumsum(1) / (1 + x.shape[1])
        return x + self.down(torch.tanh(self.up(self.norm(mixed))))


def stacked(d: int = 4, seed: int = 0) -> nn.Module:
    return random_(nn.Sequential(nn.Linear(3, d), Skip(d), Skip(d), nn.Linear(d, 3)), seed)


STACKED = {"a": "1:in", "b": "1.norm:out", "c": "2:in", "d": "3:in", "result": "output"}


def stacked_network(seed: int = 0) -> tuple[nn.Module, Network, Tensor]:
    """A network whose layers carry two positions, one of them crossed by two tensors."""
    module = stacked(seed=seed)
    generator = torch.Generator().manual_seed(100 + seed)
    inputs = torch.randn(6, 2, 3, generator=generator, dtype=torch.float64)
    return module, cut(module, (inputs,), STACKED), inputs


def random_basis(width: int, features: int, seed: int = 0) -> LayerBasis:
    """A basis whose inverse is a left inverse, as every basis here has."""
    generator = torch.Generator().manual_seed(200 + seed)
    rotation = torch.randn(width, features, generator=generator, dtype=torch.float64)
    mean = torch.randn(width, generator=generator, dtype=torch.float64)
    return LayerBasis(rotation, torch.linalg.pinv(rotation), mean, None, None)


Function = Callable[[Tensor, float], Tensor]


def jacobian_of(function: Function, x: Tensor, rule: Rule) -> Tensor:
    """∂F_t/∂f_s averaged over the rule's path, for one sample x (s × d): t × e × s × d."""
    return sum(
        weight * jacobian(lambda z, a=alpha: function(z[None], a)[0], alpha * x)
        for alpha, weight in zip(rule.nodes, rule.weights, strict=True)
    )
