"""Sections as one, and the basis of what reaches the last layer."""

import numpy as np
import pytest
import torch
from torch import nn

import lib_graph
from lib_graph.cutting.composing import compose
from lib_graph.cutting.cuts import cut
from lib_graph.dictionaries.bases_file import read_bases
from lib_graph.kinds import Linear, Perceptron, PositionLocal
from lib_graph.method.basis import lib_basis
from lib_graph.method.jacobians import second_moment
from lib_graph.method.moments import Moments
from tests.lib_graph.method.test_interactions import rule_of
from tests.lib_graph.method.test_jacobians import brute, relative
from tests.lib_graph.nets import STACKED, random_, random_basis, stacked, stacked_network


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("name", ["gradient", "trapezoid"])
def test_the_derivative_is_that_of_the_whole(name):
    _, network, inputs = stacked_network()
    one, rule = network.run(inputs[:1]), rule_of(name)
    whole = compose(network.sections[1:])
    assert (whole.source.name, whole.target.name) == ("b", "result")
    f = one.activations[1]
    assert torch.equal(whole(f, one.constants), one.activations[-1])
    assert (
        len(whole.biases)
        == len(set(whole.biases))
        == sum(len(section.biases) for section in network.sections[1:])
    )
    rotation = random_basis(3, 2).rotation
    truth = brute(whole, f, one.constants, rotation, rule)
    assert relative(second_moment(whole, one, rotation, rule, 4), truth) < 1e-12


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("biases", [(True, True, True), (True, False, False), (False, False, True),
                                    (False, False, False)])  # fmt: skip
def test_linear_maps_are_a_linear_map(biases):
    module = random_(nn.Sequential(*(nn.Linear(3, 3, bias=bias) for bias in biases)))
    x = torch.randn(4, 3, dtype=torch.float64)
    network = cut(module, (x,), {"a": "0:in", "b": "1:in", "c": "2:in", "d": "output"})
    whole = compose(network.sections)
    assert isinstance(whole.kind, Linear)
    assert (whole.kind.bias is None) == (not any(biases))
    assert torch.allclose(whole.kind(x), module(x), rtol=1e-13)
    assert compose(network.sections[:1]) is network.sections[0]


def test_a_linear_map_before_units_is_units():
    module = random_(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)))
    x = torch.randn(6, 3, dtype=torch.float64)
    network = cut(module, (x,), {"a": "0:in", "b": "1:in", "c": "3:in", "d": "output"})
    units = compose(network.sections[:2]).kind
    assert isinstance(units, Perceptron)
    assert torch.allclose(units(x), module[:3](x), rtol=1e-13)
    assert compose(network.sections).kind == PositionLocal()


@pytest.mark.slow
def test_the_global_basis_is_that_of_the_jacobian_to_the_last_layer(tmp_path):
    module, x = stacked(), torch.randn(20, 2, 3, dtype=torch.float64)
    layers = [f"{name}={point}" for name, point in STACKED.items()]
    run = lib_graph.build(
        module, tmp_path, lib_graph.Options(basis="global"), data=x, layers=layers
    )
    assert run.manifest.basis == "global"
    network = cut(module, (x[:4],), STACKED)
    batch, bases = network.run(x), read_bases(tmp_path / "bases.safetensors")
    eye = torch.eye(3, dtype=torch.float64)
    for index, layer in enumerate(network.layers[:-1]):
        section, f = compose(network.sections[index:]), batch.activations[index]
        one = [network.run(sample[None]) for sample in x]
        M = sum(
            brute(section, b.activations[index], b.constants, eye, rule_of("gradient")) for b in one
        ) / (len(f) * f.shape[1])
        expected = lib_basis(Moments.of(f), M, layer.name, 1e-12, 1e-12)
        assert torch.allclose(bases[layer.name].importance, expected.importance, rtol=1e-7)
        rows = run.features[(run.features.layer == layer.name) & (run.features.role == "feature")]
        assert np.allclose(rows.variance, rows.importance, rtol=1e-5)


@pytest.mark.slow
def test_before_a_linear_map_both_are_the_same(tmp_path):
    """There the next layer's basis says all of what reaches the last; further back it does not."""
    lines = [nn.Linear(4, 4), nn.Linear(4, 4)]
    module = random_(
        nn.Sequential(nn.Linear(3, 4), nn.Tanh(), lines[0], nn.Tanh(), lines[1], nn.Linear(4, 2))
    )
    x = torch.randn(30, 3, dtype=torch.float64)
    points = ["a=0:in", "b=1:out", "c=3:out", "d=5:in", "output"]
    one, two = (
        lib_graph.build(
            module, tmp_path / basis, lib_graph.Options(basis=basis), data=x, layers=points
        )
        for basis in ("lib", "global")
    )
    lib, whole = (read_bases(run.path / "bases.safetensors") for run in (one, two))
    for layer, same in {"a": False, "b": True, "c": True, "d": True}.items():
        equal = torch.allclose(lib[layer].importance, whole[layer].importance, rtol=1e-8)
        assert equal == same
