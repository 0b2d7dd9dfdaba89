"""MLPs, plain and gated, behind any norm: closed forms against full Jacobians."""

from dataclasses import fields, replace

import pytest
import torch
from torch import nn

from lib_graph.kinds import GatedMLP, Norm, ResidualMLP
from lib_graph.method.moments import InteractionMoments
from lib_graph.method.question import Question
from lib_graph.method.readout import Readout
from lib_graph.method.rules import Rule
from tests.lib_graph.nets import jacobian_of, random_basis

D, H, N, S = 5, 7, 3, 2


def random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64)


NORMS = {
    "none": None,
    "layer": Norm(1 + random(D) / 3, random(D, seed=1), 1e-3, centred=True),
    "rms": Norm(1 + random(D) / 3, None, 1e-3, centred=False),
}
MLPS = {
    "plain": lambda norm: ResidualMLP(
        random(D, H), random(H), random(H, D, seed=2), random(D), "gelu_tanh", norm
    ),
    "without biases": lambda norm: ResidualMLP(
        random(D, H), None, random(H, D, seed=2), None, "relu", norm
    ),
    "gated": lambda norm: GatedMLP(
        random(D, H), random(D, H, seed=3), random(H, D, seed=2), "silu", norm
    ),
    "gated with biases": lambda norm: GatedMLP(
        random(D, H), random(D, H, seed=3), random(H, D, seed=2), "gelu", norm,
        random(H), random(H, seed=4), random(D),
    ),
}  # fmt: skip
RULES = [Rule.named("gradient"), Rule.named("gauss-legendre", 3)]


@pytest.fixture(params=NORMS)
def norm(request):
    return NORMS[request.param]


@pytest.fixture(params=MLPS)
def mlp(request, norm):
    return MLPS[request.param](norm)


@pytest.fixture
def f():
    return random(N, S, D, seed=6) + 0.3


def with_biases_times(mlp, alpha):
    """The same MLP, all biases times alpha."""
    changed = {
        field.name: alpha * getattr(mlp, field.name)
        for field in fields(mlp)
        if field.name.startswith("b_") and getattr(mlp, field.name) is not None
    }
    norm = mlp.norm
    if norm is not None and norm.bias is not None:
        norm = replace(norm, bias=alpha * norm.bias)
    return replace(mlp, norm=norm, **changed)


def jacobian(mlp, x, rule):
    return jacobian_of(lambda z, alpha: with_biases_times(mlp, alpha)(z), x, rule)


def test_norms_are_torchs():
    layer, rms = nn.LayerNorm(D, eps=1e-3).double(), nn.RMSNorm(D, eps=1e-3).double()
    layer.weight.data, layer.bias.data = NORMS["layer"].gain, NORMS["layer"].bias
    rms.weight.data = NORMS["rms"].gain
    x = random(4, D)
    assert torch.allclose(NORMS["layer"](x), layer(x), rtol=1e-12)
    assert torch.allclose(NORMS["rms"](x), rms(x), rtol=1e-12)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_second_moment(mlp, f, rule):
    C = random(D, 4, seed=8)
    found = mlp.second_moment(f, C, rule, None)
    if mlp.norm is not None and rule.name != "gradient":
        assert found is None
        return
    truth = 0
    for x in f:
        J = jacobian(mlp, x, rule)
        truth = truth + torch.einsum("tisa,ir,jr,tjsb->ab", J, C, C, J)
    assert (found - truth).norm() < 1e-12 * truth.norm()


@pytest.mark.parametrize("chunk", [1, 3])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_interactions(mlp, f, rule, chunk):
    basis, C = random_basis(D, 4), random(D, 3, seed=8)
    features = (f - basis.mean) @ basis.rotation
    question = Question(f, features, basis.inverse, Readout(C, N * S), rule, chunk)
    parts = mlp.interactions(question)
    found = InteractionMoments.stack(list(parts))
    A = [
        torch.einsum("sj,jd,tesd,ei->jti", f_hat, basis.inverse, jacobian(mlp, x, rule), C)
        for x, f_hat in zip(f, features, strict=True)
    ]
    truth = InteractionMoments.of(torch.stack(A, 1), N * S)
    assert torch.allclose(found.strength, truth.strength, rtol=1e-10)
    assert torch.allclose(found.effect, truth.effect, atol=1e-11 * truth.effect.abs().max())
    assert torch.allclose(found.stderr, truth.stderr, rtol=1e-8)
