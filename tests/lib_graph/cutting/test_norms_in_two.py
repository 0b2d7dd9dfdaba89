"""Norms cut in two: the variance is a layer's first coordinate, and a feature of its own."""

import pytest
import torch
from torch import nn
from torch.autograd.functional import jacobian

from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.cutting.cuts import cut
from lib_graph.cutting.points import points, record, shapes
from lib_graph.errors import NotFoundError
from lib_graph.kinds import PositionLocal
from lib_graph.kinds.norm_form import NormForm
from lib_graph.method.basis import first_apart, lib_basis
from lib_graph.method.kind import Kind
from lib_graph.method.moments import Moments
from lib_graph.method.network import Layer
from lib_graph.networks import Subject
from lib_graph.run import Run
from tests.lib_graph.nets import random_


class Scaled(nn.Module):
    """Gemma's: the gain is one and a weight, which begins at nothing."""

    def __init__(self, d, eps=1e-3):
        super().__init__()
        self.weight, self.epsilon = nn.Parameter(torch.zeros(d)), eps

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.epsilon) * (1 + self.weight)


class Weightless(nn.Module):
    """Without weights, and without a word of its width."""

    def __init__(self, eps=1e-3):
        super().__init__()
        self.eps = eps

    def forward(self, x):
        return x * (x.square().mean(-1, keepdim=True) + self.eps).pow(-0.5)


NORMS = {
    "LayerNorm": lambda: nn.LayerNorm(4),
    "LayerNorm without bias": lambda: nn.LayerNorm(4, bias=False),
    "LayerNorm without weights": lambda: nn.LayerNorm(4, elementwise_affine=False),
    "RMSNorm": lambda: nn.RMSNorm(4, eps=1e-3),
    "RMSNorm with the eps of the precision": lambda: nn.RMSNorm(4),
    "one and a weight (RMS)": lambda: Scaled(4),
    "without weight and width (RMS)": lambda: Weightless(),
}
LAYERS = {"x": "0:in", "in": "1:in", "inside": "1:variance", "out": "1:out", "y": "output"}


@pytest.fixture(params=NORMS)
def norm(request):
    return NORMS[request.param]()


@pytest.fixture
def centred(request):
    return "RMS" not in request.node.callspec.params["norm"]


@pytest.fixture
def module(norm):
    return random_(nn.Sequential(nn.Linear(3, 4), norm, nn.Linear(4, 2)))


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(4)
    return torch.randn(30, 3, generator=generator, dtype=torch.float64)


@pytest.mark.slow
@pytest.mark.sampled
def test_the_sections_are_the_module(module, norm, centred, x):
    network = cut(module, (x,), LAYERS)
    assert [layer.width for layer in network.layers] == [3, 4, 5, 4, 2]
    assert [layer.variance for layer in network.layers] == [False, False, True, False, False]
    _, before, inside, after, y = network.run(x).activations
    moved = before - before.mean(-1, keepdim=True) if centred else before
    assert torch.allclose(inside[..., 0], moved.square().mean(-1), rtol=1e-12)
    assert torch.equal(inside[..., 1:], before)
    assert torch.allclose(after, norm(before), rtol=1e-12)
    assert torch.allclose(y[:, 0], module(x), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.sampled
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


class Other(nn.RMSNorm):
    """Called a norm, with a norm's parts, and computes something else."""

    def __init__(self, compute, d=4):
        super().__init__(d, eps=1e-3)
        self.compute = compute

    def forward(self, x):
        return self.compute(self, x, x.square().mean(-1, keepdim=True)) * self.weight


class Gated(nn.RMSNorm):
    """A norm if it is called with one tensor; blocks call it with two."""

    def forward(self, x, gate=None):
        x = x if gate is None else x * torch.sigmoid(gate)
        return super().forward(x)


def in_groups(x, eps):
    groups = x.unflatten(-1, (2, -1))
    return (groups * torch.rsqrt(groups.square().mean(-1, keepdim=True) + eps)).flatten(-2)


NO_NORMS = {
    "linear": nn.Linear(3, 3),
    "over two axes": nn.LayerNorm((2, 3)),
    "over the batch": nn.BatchNorm1d(3),
    "dropout": nn.Dropout(0.5).train(),
    "half": Other(lambda norm, x, v: x * torch.rsqrt(v + norm.eps) / 2),
    "eps outside the root": Other(lambda norm, x, v: x / (v.sqrt() + norm.eps)),
    "eps as a floor": Other(lambda norm, x, v: x * torch.rsqrt(v.clamp_min(norm.eps))),
    "the length": Other(lambda norm, x, v: x * torch.rsqrt(4 * v + norm.eps)),
    "the scale alone": Other(lambda norm, x, v: torch.rsqrt(v + norm.eps).expand(x.shape)),
    "weighed before": Other(lambda norm, x, v: nn.functional.rms_norm(x * norm.weight, (4,))),
    "in groups": Other(lambda norm, x, v: in_groups(x, norm.eps)),
    "another eps": Other(lambda norm, x, v: x * torch.rsqrt(v + 3 * norm.eps)),
    "over positions": Other(
        lambda norm, x, v: x * torch.rsqrt(x.square().mean((-1, -2), keepdim=True) + norm.eps)
    ),
    "gated": Gated(4, eps=1e-3),
}


@pytest.mark.parametrize("other", NO_NORMS)
def test_what_is_no_norm_whatever_it_is_called(other):
    assert NormForm.of(NO_NORMS[other]) is None
    assert points(nn.Sequential(NO_NORMS[other])) == ["0:in", "0:out", "output"]


@pytest.mark.slow
def test_what_is_called_a_norm_but_is_none_is_a_generic_section(x):
    half = NO_NORMS["half"].double()
    module = random_(nn.Sequential(nn.Linear(3, 4), half, nn.Linear(4, 2)))
    with pytest.raises(NotFoundError, match="Point '1:variance' not found"):
        cut(module, (x,), LAYERS)
    whole = {name: point for name, point in LAYERS.items() if name != "inside"}
    network = cut(module, (x,), whole)
    assert type(network.sections[1].kind) is Kind
    assert torch.allclose(network.run(x).activations[-1][:, 0], module(x), rtol=1e-12)


def test_looking_for_norms_changes_nothing():
    """Neither the module, what it counts, nor the state of torch's generator."""

    class Counting(nn.RMSNorm):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return super().forward(x)

    norm = Counting(4, eps=1e-3)
    norm.register_forward_hook(lambda *_: pytest.fail("a hook has run"))
    before = {name: x.clone() for name, x in norm.state_dict().items()}
    state = torch.random.get_rng_state()
    form = NormForm.of(norm)
    assert form == NormForm(False, 1e-3, 0.0, "weight", None)
    assert norm.calls == 0
    assert norm.training
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(x, norm.state_dict()[name]) for name, x in before.items())


@pytest.mark.slow
def test_the_norms_of_transformers():
    """A few that are what they are called, and a few that are not (of 188 in transformers 5)."""
    from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm
    from transformers.models.llama.modeling_llama import LlamaRMSNorm
    from transformers.models.mamba2.modeling_mamba2 import MambaRMSNormGated
    from transformers.models.qwen3_next.modeling_qwen3_next import Qwen3NextRMSNormGated
    from transformers.models.t5.modeling_t5 import T5LayerNorm

    assert NormForm.of(LlamaRMSNorm(4)) == NormForm(False, 1e-6, 0.0, "weight", None)
    assert NormForm.of(T5LayerNorm(4)) == NormForm(False, 1e-6, 0.0, "weight", None)
    assert NormForm.of(Gemma3RMSNorm(4)) == NormForm(False, 1e-6, 1.0, "weight", None)
    assert NormForm.of(MambaRMSNormGated(4, 2)) is None
    assert NormForm.of(Qwen3NextRMSNormGated(4)) is None


@pytest.mark.slow
def test_halves_of_a_norm_are_position_local():
    module = random_(nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)))
    x = torch.randn(4, 5, 3, dtype=torch.float64)
    halves = {("in", "inside"): PositionLocal(), ("inside", "out"): PositionLocal()}
    network = cut(module, (x,), LAYERS, kinds=halves)
    activations = network.run(x).activations
    local = [section for section in network.sections if section.source.name in ("in", "inside")]
    assert [section.local for section in local] == [True, True]
    for section in local:
        f = activations[section.source.index][:1]
        J = jacobian(lambda f, section=section: section(f, ()), f)[0, :, :, 0]
        size = J.abs().amax((1, 3))
        assert (size.diagonal() > 0.1).all()
        assert not size.fill_diagonal_(0).any()


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
@pytest.mark.sampled
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
