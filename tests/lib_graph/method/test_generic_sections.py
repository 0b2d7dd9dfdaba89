"""Sections without closed forms: fewer JVPs, position-local ones, random probes."""

import pytest
import torch
from torch import nn

from lib_graph.cutting.cuts import cut
from lib_graph.errors import ModelError
from lib_graph.kinds import PositionLocal
from lib_graph.method.interactions import interaction_moments
from lib_graph.method.jacobians import JacobianMoment, estimated_moment, second_moment
from lib_graph.method.rules import Rule
from tests.lib_graph.method.test_jacobians import RULE_NAMES, brute, relative
from tests.lib_graph.nets import random_, random_basis

GRADIENT = Rule.named("gradient")


class Widening(nn.Module):
    """Two positions of width 3 to two of width 9: fewer JVPs than VJPs."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.up = nn.Linear(3, 3), nn.Linear(3, 9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.up(x + torch.tanh(self.mix(x)).cumsum(1)))


def random_inputs(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def local_network(declared):
    module = random_(nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 3)))
    module = module.requires_grad_(False)
    x = random_inputs(3, 5, 4)
    layers = {"a": "1:in", "b": "3:in", "c": "output"}
    kinds = {("a", "b"): PositionLocal()} if declared else {}
    return cut(module, (x,), layers, kinds=kinds), x


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("name", RULE_NAMES)
def test_jvps_where_they_are_fewer(name, monkeypatch):
    rule = Rule.named(name, 3 if name != "gradient" else None)
    x = random_inputs(2, 2, 3)
    network = cut(random_(Widening()), (x,), {"x": "mix:in", "y": "output"})
    (section,) = network.sections
    rotation = random_basis(9, 8).rotation
    batch = network.run(x)
    monkeypatch.setattr("lib_graph.method.jacobians._by_vjps", None)  # not needed
    truth = sum(brute(section, one[None], batch.constants, rotation, rule) for one in x)
    for chunk in (1, 2, 8):
        assert relative(second_moment(section, batch, rotation, rule, chunk), truth) < 1e-12


@pytest.mark.slow
def test_a_position_local_section_takes_a_backward_pass_per_column():
    (declared, x), (plain, _) = local_network(True), local_network(False)
    rotation = random_basis(4, 3).rotation
    batch = declared.run(x)
    found = second_moment(declared.sections[0], batch, rotation, GRADIENT, 2)
    truth = second_moment(plain.sections[0], batch, rotation, GRADIENT, 2)
    assert relative(found, truth) < 1e-12
    bases = random_basis(4, 3), random_basis(4, 2, seed=1)
    found, truth = (
        interaction_moments(network.sections[0], batch, *bases, GRADIENT, 2).strength
        for network in (declared, plain)
    )
    assert torch.allclose(found, truth, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("ahead", [1, 2, 3])
def test_what_passes_between_positions_is_not_position_local(ahead):
    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tanh(self.inner(x)) + x.roll(ahead, 1)

    x = random_inputs(2, 5, 3)
    with pytest.raises(ModelError, match=r"'x' is not the PositionLocal"):
        cut(Shifted(), (x,), {"x": "inner:in", "y": "output"}, kinds={("x", "y"): PositionLocal()})


@pytest.mark.slow
def test_fewer_positions_are_not_position_local():
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tanh(self.inner(x))[:, -1:]

    kinds = {("x", "y"): PositionLocal()}
    with pytest.raises(ModelError, match="PositionLocal"):
        cut(Last(), (random_inputs(2, 5, 3),), {"x": "inner:in", "y": "output"}, kinds=kinds)


@pytest.mark.slow
def test_probes_are_right_on_average_and_know_their_error():
    x = random_inputs(40, 2, 3)
    network = cut(random_(Widening()), (x[:4],), {"x": "mix:in", "y": "output"})
    (section,) = network.sections
    rotation = random_basis(9, 8).rotation
    truth = second_moment(section, network.run(x), rotation, GRADIENT, 8)
    total, off = None, []
    for probes in (200, 3200):
        batch = network.run(x)
        moment = JacobianMoment(
            80, *estimated_moment(section, batch, rotation, GRADIENT, probes, 8)
        )
        error = float((moment.total - truth).norm())
        off.append(error)
        assert 0.2 < error / moment.variance**0.5 < 5
        assert 0 < moment.relative_error < 0.2
        again = estimated_moment(section, batch, rotation, GRADIENT, probes, 8)[0]
        assert total is None or not torch.equal(total, again)
        assert torch.equal(moment.total, again)
        total = again
    assert off[1] < off[0] / 2
