"""Derivatives through the named tensors alone, what bypasses them held fixed."""

import pytest
import torch
from torch import nn
from torch.autograd.functional import jacobian

import lib_graph
from lib_graph.cutting.cuts import cut
from lib_graph.cutting.points import record
from lib_graph.method.jacobians import second_moment
from lib_graph.method.rules import Rule
from tests.lib_graph.cli.test_build import lib_graph as command
from tests.lib_graph.method.test_interactions import check, rule_of
from tests.lib_graph.method.test_jacobians import relative
from tests.lib_graph.nets import STACKED, Skip, random_, stacked_network


@pytest.fixture(scope="module")
def partial():
    module, _, inputs = stacked_network()
    return module, cut(module, (inputs,), STACKED, partial=True), inputs


@pytest.mark.slow
def test_layers_are_the_named_tensors_and_the_chain_is_the_module(partial):
    module, network, inputs = partial
    assert [layer.width for layer in network.layers] == [4, 4, 4, 4, 3]
    truth = record(module, (inputs,), STACKED.values())
    batch = network.run(inputs)
    for layer, found in zip(network.layers, batch.activations, strict=True):
        assert torch.equal(found, truth[STACKED[layer.name]])
    assert network.figures["held_tensors"] == 1


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("name", ["gradient", "trapezoid"])
def test_the_derivative_is_that_with_the_bypass_held_fixed(partial, name):
    module, network, inputs = partial
    rule, block = rule_of(name), module[1]
    batch = network.run(inputs)
    bypass = batch.activations[0]
    rotation = torch.eye(4, dtype=torch.float64)
    expected = torch.zeros(4, 4, dtype=torch.float64)
    for row, held in zip(batch.activations[1].flatten(0, 1), bypass.flatten(0, 1), strict=True):
        J = sum(
            weight * jacobian(
                lambda z, held=held, a=alpha: held + block.down.weight @ torch.tanh(
                    block.up.weight @ z + a * block.up.bias
                ), alpha * row,
            )
            for alpha, weight in zip(rule.nodes, rule.weights, strict=True)
        )  # fmt: skip
        expected += J.T @ J
    found = second_moment(network.sections[1], batch, rotation, rule, 3)
    assert relative(found, expected) < 1e-12


@pytest.mark.slow
def test_what_bypasses_the_target_is_not_held():
    """Only what goes around the source is: the target depends on the other all the same."""
    module = random_(nn.Sequential(nn.Linear(3, 4), Skip(4)))
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    layers = {"a": "0:in", "b": "1.up:out", "c": "output"}
    network = cut(module, (x,), layers, partial=True)
    assert network.figures["held_tensors"] == 1
    batch = network.run(x[:1])
    found = jacobian(lambda z: network.sections[0](z, batch.constants), x[:1])
    block = module[1]

    def before(z):
        y = module[0](z)
        return block.up(block.norm(y + y.cumsum(1) / (1 + y.shape[1])))

    assert torch.allclose(found, jacobian(before, x[:1]), rtol=1e-12)
    assert found.abs().max() > 0


@pytest.mark.slow
def test_interactions_are_those_of_the_sections(partial):
    _, network, inputs = partial
    check(network, inputs[:2], rule_of("gradient"))


@pytest.mark.slow
def test_without_a_bypass_nothing_changes():
    module = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    layers = {"a": "0:in", "b": "2:in", "c": "output"}
    whole, part = (cut(module, (x,), layers, partial=p) for p in (False, True))
    assert [type(s.kind) for s in whole.sections] == [type(s.kind) for s in part.sections]
    f = whole.run(x)
    moments = [
        second_moment(n.sections[0], f, torch.eye(4).double(), Rule.named("gradient"), 2)
        for n in (whole, part)
    ]
    assert torch.equal(*moments)


FILE = """
import torch
from tests.lib_graph.nets import stacked

def make_model():
    return stacked()

def make_data():
    return torch.randn(30, 2, 3)
"""


@pytest.mark.slow
def test_the_run_says_so_and_is_another(tmp_path):
    (tmp_path / "mine.py").write_text(FILE)
    arguments = ["build", f"{tmp_path / 'mine.py'}:make_model", "-q", "--layers",
                 ",".join(f"{name}={point}" for name, point in STACKED.items())]  # fmt: skip
    runs = []
    for options in ([], ["--partial"]):
        out = tmp_path / f"run{len(runs)}"
        assert command(*arguments, "--out", str(out), *options) == 0
        runs.append(lib_graph.Run.open(out))
    manifest = runs[1].manifest
    assert (manifest.config.partial, manifest.checks["held_tensors"]) == (True, 1)
    assert "held_tensors" not in runs[0].manifest.checks
    assert runs[0].id != runs[1].id
    assert [layer.width for layer in runs[0].layers][1] == 8
    again = tmp_path / "again"
    config = str(tmp_path / "run1" / "manifest.json")
    assert command(*arguments, "--out", str(again), "--config", config) == 0
    assert lib_graph.Run.open(again).id == runs[1].id
