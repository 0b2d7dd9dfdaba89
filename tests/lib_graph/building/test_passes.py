"""Sections without a closed form: passes forward or backward, at one position or at all."""

import pytest
import torch
from torch import nn

from lib_graph.cutting.cuts import cut
from lib_graph.kinds import PositionLocal
from lib_graph.method import jacobians
from lib_graph.method.interactions import interaction_moments
from lib_graph.method.jacobians import estimated_moment, second_moment
from lib_graph.method.network import Batch
from lib_graph.method.rules import Rule
from tests.lib_graph.method.test_jacobians import brute, relative
from tests.lib_graph.nets import random_, random_basis, stacked_network

RULES = [Rule.named("gradient"), Rule.named("trapezoid", 3)]
GRADIENT = RULES[0]
LOCAL = {"a": "0:in", "b": "3:in", "out": "output"}


def forbid(monkeypatch, name):
    def never(*_):
        raise AssertionError(f"{name} was called")

    monkeypatch.setattr(jacobians, name, never)


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("passes", ["forward", "backward"])
def test_whichever_passes_are_fewer(rule, passes, monkeypatch):
    """Two positions of 4 coordinates take 8 forward passes, and 2 backward ones per column."""
    forbid(monkeypatch, {"forward": "_by_vjps", "backward": "_by_jvps"}[passes])
    _, network, inputs = stacked_network()
    section, batch = network.sections[2], network.run(inputs[:2])
    rotation = random_basis(4, {"forward": 5, "backward": 4}[passes]).rotation
    f = batch.activations[2]
    truth = sum(brute(section, x[None], batch.constants, rotation, rule) for x in f)
    for chunk in (1, 3, 8):
        assert relative(second_moment(section, batch, rotation, rule, chunk), truth) < 1e-12


@pytest.mark.slow
def test_forward_passes_only_where_their_products_fit(monkeypatch):
    _, network, inputs = stacked_network()
    section, batch = network.sections[2], network.run(inputs)
    rotation = random_basis(4, 9).rotation
    forward = second_moment(section, batch, rotation, GRADIENT, 4)
    monkeypatch.setattr(jacobians, "PRODUCTS", 4 * 6 * 2 * 9 - 1)
    forbid(monkeypatch, "_by_jvps")
    assert relative(second_moment(section, batch, rotation, GRADIENT, 4), forward) < 1e-12


@pytest.mark.slow
def test_masks_in_either_direction(monkeypatch):
    """Position 1 of `mixed` sees position 0: what does not count is cut off at both ends."""
    _, network, inputs = stacked_network()
    section, batch = network.sections[2], network.run(inputs)
    counted = torch.tensor([[True, True], [True, False]] * 3)
    masked = Batch(batch.activations, batch.constants, counted)
    rotation = random_basis(4, 9).rotation
    forward = second_moment(section, masked, rotation, GRADIENT, 4)
    assert relative(forward, second_moment(section, batch, rotation, GRADIENT, 4)) > 1e-3
    monkeypatch.setattr(jacobians, "PRODUCTS", 0)
    assert relative(second_moment(section, masked, rotation, GRADIENT, 4), forward) < 1e-12


def local_networks(positions=3):
    """The same network with and without saying that nothing passes between positions."""
    layers = nn.Linear(4, 6), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, 2)
    module = random_(nn.Sequential(*layers)).requires_grad_(False)
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(5, positions, 4, generator=generator, dtype=torch.float64)
    said = cut(module, (x,), LOCAL, kinds={("a", "b"): PositionLocal()})
    return said, cut(module, (x,), LOCAL), x


def strengths(section, batch, features, targets, chunk):
    bases = random_basis(section.source.width, features), random_basis(6, targets, seed=1)
    return interaction_moments(section, batch, *bases, GRADIENT, chunk)


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("targets", [2, 6])
def test_position_local_sections(targets, masked):
    """With fewer and with more targets than sources: backward and forward passes."""
    said, unsaid, x = local_networks()
    counted = torch.rand(5, 3, generator=torch.Generator().manual_seed(0)) < 0.7
    results = []
    for network in (said, unsaid):
        batch = network.run(x)
        batch = Batch(batch.activations, batch.constants, counted if masked else None)
        section = network.sections[0]
        rotation = random_basis(6, targets, seed=1).rotation
        edges = strengths(section, batch, 4, targets, 3)
        results.append((second_moment(section, batch, rotation, GRADIENT, 3), edges))
    (moment, edges), (truth, expected) = results
    assert relative(moment, truth) < 1e-12
    for name in ("strength", "effect", "stderr"):
        one, other = getattr(edges, name), getattr(expected, name)
        assert one.shape == (4, targets)
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-12 * float(other.abs().max()))


@pytest.mark.slow
def test_position_local_sections_take_a_pass_for_all_positions(monkeypatch):
    said, _, x = local_networks()
    section, batch = said.sections[0], said.run(x)
    seen = []
    places = jacobians._places

    def watched(*args):
        seen.append(places(*args))
        return seen[-1]

    monkeypatch.setattr(jacobians, "_places", watched)
    for columns in (2, 9):
        second_moment(section, batch, random_basis(6, columns).rotation, GRADIENT, 4)
    assert seen == [[slice(None)]] * 2


@pytest.mark.slow
def test_one_position_is_local_without_a_word():
    _, network, x = local_networks(positions=1)
    section = network.sections[0]
    assert section.local
    assert not local_networks()[1].sections[0].local
    basis, following = random_basis(4, 4), random_basis(6, 6, seed=1)
    where = (section, network.run(x), basis)
    forward = interaction_moments(*where, following, GRADIENT, 2)
    backward = interaction_moments(*where, following.only(torch.tensor([1, 4])), GRADIENT, 2)
    assert torch.allclose(backward.strength, forward.strength[:, [1, 4]], rtol=1e-10)


def estimated(batch, network, probes):
    rotation = random_basis(4, 3).rotation
    return estimated_moment(network.sections[2], batch, rotation, GRADIENT, probes, 8)


@pytest.mark.slow
def test_probes_follow_from_the_samples_alone():
    _, network, inputs = stacked_network()
    whole, variance = estimated(network.run(inputs), network, 5)
    again, _ = estimated(network.run(inputs), network, 5)
    assert torch.equal(whole, again)
    parts = []
    for start, stop in ((0, 2), (2, 6)):
        part = network.run(inputs[start:stop])
        parts.append(estimated(Batch(part.activations, part.constants, None, start), network, 5))
    assert relative(parts[0][0] + parts[1][0], whole) < 1e-12
    assert variance > 0
