"""The second moment of the Jacobian against full Jacobians by reverse mode."""

import pytest
import torch
from torch import nn

from lib_graph.cutting.cuts import cut
from lib_graph.kinds import Kind, ResidualMLP
from lib_graph.method.jacobians import JacobianMoment, estimated_moment, second_moment
from lib_graph.method.rules import Rule
from lib_graph.networks.modular_addition import LAYERS, kinds, split
from tests.lib_graph.nets import (
    CONFIG,
    jacobian_of,
    random_,
    random_basis,
    stacked_network,
    transformer,
)

RULE_NAMES = ["gradient", "gauss-legendre", "trapezoid"]


def brute(section, f, constants, rotation, rule):
    def function(z, alpha):
        return section(z, constants, section.scaled_biases(alpha))

    total = 0
    for x in f:
        J = jacobian_of(function, x, rule)
        total = total + torch.einsum("tisa,ir,jr,tjsb->ab", J, rotation, rotation, J)
    return total


def relative(found, truth):
    return float((found - truth).norm() / truth.norm())


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("name", RULE_NAMES)
def test_any_section_by_vjps(name):
    _, network, inputs = stacked_network()
    rule = Rule.named(name, 3 if name != "gradient" else None)
    for section in network.sections:
        one = network.run(inputs[:1])
        f = one.activations[section.source.index]
        rotation = random_basis(section.target.width, 3).rotation
        truth = brute(section, f, one.constants, rotation, rule)
        for chunk in (1, 2, 8):
            found = second_moment(section, one, rotation, rule, chunk)
            assert relative(found, truth) < 1e-12


def test_moments_of_two_sets_of_samples_are_that_of_both():
    one, other = torch.eye(2), torch.tensor([[2.0, 1.0], [1.0, 4.0]])
    both = JacobianMoment(3, one, 0.5).merge(JacobianMoment(5, other, 0.25))
    assert (both.rows, both.variance) == (8, 0.75)
    assert torch.equal(both.total, one + other)
    assert torch.equal(both.mean, (one + other) / 8)


def test_with_one_output_every_probe_is_exact():
    """Its sign squares to 1, and there is nothing else to be probed."""
    module = random_(nn.Sequential(nn.Linear(3, 4), nn.Softmax(-1), nn.Linear(4, 2)))
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    network = cut(module, (x,), {"a": "0:in", "out": "output"})
    (section,), batch, rule = network.sections, network.run(x), Rule.named("gradient")
    rotation = random_basis(2, 1).rotation
    truth = brute(section, batch.activations[0], batch.constants, rotation, rule)
    for probes in (1, 4):
        found, error = estimated_moment(section, batch, rotation, rule, probes, 2)
        assert relative(found, truth) < 1e-12
        assert error < 1e-12 * float(truth.square().sum())


@pytest.mark.slow
def test_samples_add_up():
    _, network, inputs = stacked_network()
    rule = Rule.named("gradient")
    section = network.sections[0]
    rotation = random_basis(section.target.width, 3).rotation

    def of(x):
        batch = network.run(x)
        return second_moment(section, batch, rotation, rule, 4)

    assert relative(of(inputs), sum(of(x[None]) for x in inputs)) < 1e-12
    assert relative(of(inputs.flip(0)), of(inputs)) < 1e-12


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("name", RULE_NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_closed_forms_of_the_transformer(name, seed):
    module = transformer(seed).requires_grad_(False)
    tokens = split(CONFIG)[0][:3]
    network = cut(module, (tokens,), LAYERS, kinds=kinds(module))
    rule = Rule.named(name, 3 if name != "gradient" else None)
    batch = network.run(tokens)
    for section in network.sections:
        f = batch.activations[section.source.index]
        rotation = random_basis(section.target.width, 4, seed).rotation
        found = second_moment(section, batch, rotation, rule, 4)
        truth = sum(brute(section, x[None], batch.constants, rotation, rule) for x in f)
        assert type(section.kind) is not Kind
        assert relative(found, truth) < 1e-12


def test_an_mlp_at_several_positions():
    torch.manual_seed(0)
    d, h = 5, 9

    def random(*shape):
        return torch.randn(shape, dtype=torch.float64)

    mlp = ResidualMLP(random(d, h), random(h), random(h, d), random(d), "relu")
    f, rotation, rule = random(4, 3, d), random(d, 2), Rule.named("gradient")
    truth = 0
    for x in f:
        J = jacobian_of(lambda z, a: mlp(z), x, rule)
        truth = truth + torch.einsum("tisa,ir,jr,tjsb->ab", J, rotation, rotation, J)
    assert relative(mlp.second_moment(f, rotation, rule), truth) < 1e-13
