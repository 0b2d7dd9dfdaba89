"""Sections that show what they are, and those that only look like it."""

import pytest
import torch
from torch import nn

from lib_graph.cutting.cuts import cut
from lib_graph.kinds import Kind, Linear, Perceptron
from lib_graph.kinds.activations import ACTIVATIONS
from tests.lib_graph.method.test_interactions import check, rule_of
from tests.lib_graph.method.test_jacobians import brute, relative
from tests.lib_graph.nets import random_

RULES = ["gradient", "gauss-legendre"]
MODULES = {
    "relu": nn.ReLU(), "tanh": nn.Tanh(), "sigmoid": nn.Sigmoid(), "silu": nn.SiLU(),
    "gelu": nn.GELU(), "gelu_tanh": nn.GELU(approximate="tanh"),
}  # fmt: skip


def network_of(module, *shape):
    """One section from the input of submodule 0 to the result, and inputs."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(4, *shape, generator=generator, dtype=torch.float64)
    return cut(random_(module), (x,), {"a": "0:in", "b": "output"}), x


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_are_derivatives(name):
    x = torch.linspace(-4, 4, 60, dtype=torch.float64).requires_grad_()
    (truth,) = torch.autograd.grad(ACTIVATIONS[name].value(x).sum(), x)
    assert torch.allclose(ACTIVATIONS[name].slope(x), truth, rtol=1e-12, atol=1e-14)


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", MODULES)
def test_a_linear_map_with_an_activation(name, bias):
    network, x = network_of(nn.Sequential(nn.Linear(3, 5, bias=bias), MODULES[name]), 2, 3)
    (section,) = network.sections
    assert isinstance(section.kind, Perceptron)
    assert section.kind.activation == name
    f, rotation = network.run(x).activations[0], torch.randn(5, 2, dtype=torch.float64)
    for rule in map(rule_of, RULES):
        truth = sum(brute(section, one[None], (), rotation, rule) for one in f)
        assert relative(section.kind.second_moment(f, rotation, rule), truth) < 1e-12
        check(network, x, rule)


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_map(bias):
    network, x = network_of(nn.Sequential(nn.Linear(3, 5, bias=bias)), 3)
    assert isinstance(network.sections[0].kind, Linear)
    check(network, x, rule_of("gauss-legendre"))


class Doubled(nn.Linear):
    def forward(self, x):
        return super().forward(x) + x


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Sequential(Doubled(3, 3)), (3,)),
        (nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)), (3,)),
        (nn.Sequential(nn.Linear(3, 4), nn.Softmax(-1)), (3,)),
        (nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Tanh()), (3,)),
        (nn.Sequential(nn.ReLU(), nn.Linear(3, 4)), (3,)),
        (nn.Sequential(nn.Linear(3, 3)), (2, 3, 3)),
    ],
)
def test_what_only_looks_like_it(module, shape):
    network, x = network_of(module, *shape)
    assert type(network.sections[0].kind) is Kind
    check(network, x[:2], rule_of("gradient"))
