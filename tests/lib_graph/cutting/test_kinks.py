"""At every kink both modes of a section take the derivative that torch's backward mode takes."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import lib_graph
from lib_graph.cutting.cuts import cut
from lib_graph.method.forward import derivative
from tests.lib_graph.zoo import Case, check, filled, numbers

ACTIVATIONS = [
    "CELU", "ELU", "GELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU",
    "LogSigmoid", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SELU", "Sigmoid", "SiLU", "Softplus",
    "Softshrink", "Softsign", "Tanh", "Tanhshrink",
]  # fmt: skip
MADE = {
    "Threshold": lambda: nn.Threshold(0.5, 0.1),
    "PReLU by channel": lambda: nn.PReLU(6),
}
FUNCTIONS = {
    "abs": torch.abs,
    "clamp": lambda x: x.clamp(-1, 1),
    "clamp by tensors": lambda x: x.clamp(-torch.ones(6), torch.ones(6)),
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "sign": lambda x: x * x.sign(),
    "max": lambda x: x + x.max(-1, keepdim=True)[0],
    "amax": lambda x: x - x.amax(-1, keepdim=True),
    "sort": lambda x: x.sort(-1)[0],
    "pool": lambda x: functional.max_pool1d(x[:, None], 3, 1, 1)[:, 0],
    "norm": lambda x: x + x.norm(dim=-1, keepdim=True),
    "relu squared": lambda x: functional.relu(x).square(),
    "fmod": lambda x: torch.fmod(x, 0.5),
}
# 0, both signs of it, the other kinks of these functions, and ties
KINKS = torch.tensor(
    [
        [0.0, -0.0, 0.5, -0.5, 1.0, -1.0],
        [3.0, -3.0, 6.0, 20.0, 2.0, 2.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.3, 0.7, -0.2, 1.3, -1.7, 5.0],
    ],
    dtype=torch.float64,
)


class Elementwise(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.inner, self.function = nn.Identity(), function

    def forward(self, x):
        return self.function(self.inner(x))


def makers():
    found = {name: getattr(nn, name) for name in ACTIVATIONS} | MADE
    return found | {name: lambda f=f: f for name, f in FUNCTIONS.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", makers())
def test_both_modes_are_what_autograd_says(name):
    module = Elementwise(makers()[name]()).double().eval().requires_grad_(False)
    network = cut(module, (KINKS + 0.01,), {"x": "inner:in", "y": "output"})
    (section,) = network.sections
    free = KINKS.clone().requires_grad_()
    result = module(free)
    truth = torch.stack(
        [torch.autograd.grad(y, free, retain_graph=True)[0] for y in result.flatten()]
    )
    constants = network.run(KINKS).constants

    def of(z):
        return section(z[:, None], constants)[:, 0]

    (back,) = torch.func.vmap(torch.func.vjp(of, KINKS)[1])(
        torch.eye(KINKS.numel()).double().unflatten(1, KINKS.shape)
    )
    assert torch.allclose(back, truth, rtol=1e-12, atol=0)
    units = torch.eye(KINKS.numel()).double().unflatten(1, KINKS.shape)
    forth = torch.stack([derivative(of, (KINKS,), (unit,)).flatten() for unit in units], 1)
    assert torch.allclose(forth.unflatten(1, KINKS.shape), truth, rtol=1e-12, atol=0)


class Around(nn.Module):
    def __init__(self, act):
        super().__init__()
        self.first, self.act, self.last = nn.Linear(4, 5), act, nn.Linear(5, 2)

    def forward(self, x):
        return self.last(self.act(self.first(x)))


TRAPEZOID = ((0.0, 0.25), (0.5, 0.5), (1.0, 0.25))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["PReLU", "ReLU", "Hardtanh", "Softshrink"])
@pytest.mark.parametrize("second", ["last:in", "act:in"])
def test_the_node_0_of_a_path(name, second, tmp_path):
    """All activations are 0 there, where biases are: at the kink, with closed forms and without."""
    layers = {"a": "first:in", "b": second, "out": "output"}
    case = Case(lambda: filled(Around(getattr(nn, name)())), numbers(7, 4), layers, TRAPEZOID)
    check(case, tmp_path, lib_graph.Options(rule="trapezoid", points=3))
