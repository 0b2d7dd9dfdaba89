"""Norms cut in two: the variance is a layer's first coordinate, and a feature of its own."""

import pytest
import torch
from torch import nn

from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.cutting.cuts import cut
from lib_graph.cutting.points import points, record, shapes
from lib_graph.errors import ModelError
from lib_graph.kinds import Norm, PositionLocal
from lib_graph.method.basis import first_apart, lib_basis
from lib_graph.method.moments import Moments
from lib_graph.method.network import Layer
from lib_graph.networks import Subject
from lib_graph.run import Run
from tests.lib_graph.nets import random_

NORMS = {
    "LayerNorm": lambda: nn.LayerNorm(4),
    "LayerNorm without bias": lambda: nn.LayerNorm(4, bias=False),
    "LayerNorm without weights": lambda: nn.LayerNorm(4, elementwise_affine=False),
    "RMSNorm": lambda: nn.RMSNorm(4, eps=1e-3),
}
LAYERS = {"x": "0:in", "in": "1:in", "inside": "1:variance", "out": "1:out", "y": "output"}


@pytest.fixture(params=NORMS)
def norm(request):
    return NORMS[request.param]()


@pytest.fixture
def module(norm):
    return random_(nn.Sequential(nn.Linear(3, 4), norm, nn.Linear(4, 2)))


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(4)
    return torch.randn(30, 3, generator=generator, dtype=torch.float64)


def test_the_sections_are_the_module(module, norm, x):
    network = cut(module, (x,), LAYERS)
    assert [layer.width for layer in network.layers] == [3, 4, 5, 4, 2]
    assert [layer.variance for layer in network.layers] == [False, False, True, False, False]
    _, before, inside, after, y = network.run(x).activations
    centred = before - before.mean(-1, keepdim=True) if "RMS" not in type(norm).__name__ else before
    assert torch.allclose(inside[..., 0], centred.square().mean(-1), rtol=1e-12)
    assert torch.equal(inside[..., 1:], before)
    assert torch.allclose(after, norm(before), rtol=1e-12)
    assert torch.allclose(y[:, 0], module(x), rtol=1e-12)


@pytest.mark.slow
def test_the_derivatives_are_the_modules(module, x):
    network = cut(module, (x,), LAYERS)
    free = x.clone().requires_grad_()
    (truth,) = torch.autograd.grad(module(free).square().sum(), free)
    (f, *_), _ = network.head(free)
    f = network.layers[0].pack([f])
    for section in network.sections:
        f = section(f, ())
    (found,) = torch.autograd.grad(f.square().sum(), free)
    assert torch.allclose(found, truth, rtol=1e-9)


def test_points_of_a_norm(module, x):
    assert points(module)[2:5] == ["1:in", "1:variance", "1:out"]
    assert "0:variance" not in points(module)
    assert shapes(module, (x,))["1:variance"] == (1,)
    assert record(module, (x,), ["1:variance"])["1:variance"].shape == (30, 1)


@pytest.mark.parametrize("other", [nn.Linear(3, 3), nn.LayerNorm((2, 3)), nn.BatchNorm1d(3)])
def test_what_is_no_norm_of_the_last_axis(other):
    assert Norm.of(other) is None


class HalfRMSNorm(nn.RMSNorm):
    """Called a norm, and computes something else."""

    def forward(self, x):
        return super().forward(x) / 2


@pytest.mark.slow
def test_what_is_called_a_norm_but_is_none(x):
    module = random_(nn.Sequential(nn.Linear(3, 4), HalfRMSNorm(4, eps=1e-3), nn.Linear(4, 2)))
    with pytest.raises(ModelError, match="part at layer 'out'"):
        cut(module, (x,), LAYERS)


def test_halves_of_a_norm_are_position_local():
    module = random_(nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)))
    x = torch.randn(4, 5, 3, dtype=torch.float64)
    halves = {("in", "inside"): PositionLocal(), ("inside", "out"): PositionLocal()}
    cut(module, (x,), LAYERS, kinds=halves)


def test_the_first_coordinate_stays_apart():
    generator = torch.Generator().manual_seed(0)
    f, half = torch.randn(2, 200, 4, generator=generator, dtype=torch.float64)
    f = f @ torch.randn(4, 4, generator=generator, dtype=torch.float64)
    moments, moment = Moments.of(f[:, None]), half.T @ half
    basis = first_apart(
        lambda part: lib_basis(moments.part(part), moment[part, part], "x", 1e-12, 1e-12)
    )
    assert not basis.rotation[0, 1:].any()
    assert not basis.rotation[1:, 0].any()
    assert torch.allclose(basis.inverse @ basis.rotation, torch.eye(4).double(), atol=1e-12)
    features = basis.coordinates(f)
    covariance = features.T @ features / len(f)
    assert torch.allclose(covariance.diagonal(), basis.importance, rtol=1e-10)
    apart = covariance[1:, 1:] - torch.diag(basis.importance[1:])
    assert apart.abs().max() < 1e-10 * basis.importance.max()
    assert basis.importance[0] == pytest.approx(float(moments.covariance[0, 0] * moment[0, 0]))


SLOW = [pytest.param(basis, marks=pytest.mark.slow) for basis in ("pca", "neuron")]


@pytest.mark.slow
@pytest.mark.parametrize("basis", ["lib", *SLOW])
def test_a_run_says_which_feature_is_the_variance(x, tmp_path, basis):
    module = random_(nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)))
    layers = {name: LAYERS[name] for name in ("in", "inside", "y")}
    subject = Subject("norm", "tests", module, (x,), "random", layers)
    build(subject, tmp_path / "run", Options(basis=basis))
    features = Run.open(tmp_path / "run").features
    roles = features[features.layer == "inside"].role.tolist()
    assert roles == ["constant", "variance", *["feature"] * (len(roles) - 2)]
    assert "variance" not in set(features[features.layer != "inside"].role)
    found = features[features.role == "variance"].variance.item()
    inside = cut(module, (x,), layers).run(x).activations[1][..., 0]
    if basis != "lib":
        assert found == pytest.approx(float(inside.var(correction=0)))


def test_a_layer_is_no_variance_unless_it_says_so():
    assert not Layer(0, "x", ((1,), (4,))).variance
