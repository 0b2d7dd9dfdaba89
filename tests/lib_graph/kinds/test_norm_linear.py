"""Norms, alone or with a linear map behind, and the ends of other kinds, against Jacobians."""

from dataclasses import replace

import pytest
import torch

from lib_graph.kinds import Attention, GatedMLP, Norm, NormLinear, ResidualMLP
from lib_graph.method.basis import RawBasis
from lib_graph.method.moments import InteractionMoments
from lib_graph.method.question import Question
from lib_graph.method.readout import Readout
from lib_graph.method.rules import Rule
from tests.lib_graph.kinds.test_mlps import NORMS, D, H, N, S, random
from tests.lib_graph.nets import jacobian_of, random_basis

RULES = [Rule.named("gradient"), Rule.named("gauss-legendre", 3), Rule.named("trapezoid", 2)]
COUNTED = torch.tensor([[True, True], [True, False], [False, False]])
V = 6


@pytest.fixture(params=["layer", "rms", "layer alone", "rms alone"])
def kind(request):
    norm, _, alone = request.param.partition(" ")
    return NORMS[norm] if alone else NormLinear(NORMS[norm], random(D, V), random(V))


@pytest.fixture
def f():
    return random(N, S, D, seed=6) + 0.3


def scaled(kind, alpha):
    """The same, with all biases times alpha."""
    if isinstance(kind, NormLinear):
        return replace(kind, norm=scaled(kind.norm, alpha), bias=alpha * kind.bias)
    return kind if kind.bias is None else replace(kind, bias=alpha * kind.bias)


def jacobians(kind, f, rule):
    return [jacobian_of(lambda z, alpha: scaled(kind, alpha)(z), x, rule) for x in f]


@pytest.mark.parametrize("counted", [None, COUNTED], ids=["all", "some"])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_second_moment(kind, f, rule, counted):
    C = random(kind(f).shape[2], 4, seed=8)
    truth = 0
    for J, which in zip(
        jacobians(kind, f, rule), COUNTED if counted is not None else [slice(S)] * N, strict=True
    ):
        J = J[which]
        truth = truth + torch.einsum("tisa,ir,jr,tjsb->ab", J, C, C, J)
    found = kind.second_moment(f, C, rule, counted)
    assert (found - truth).norm() < 1e-12 * truth.norm()


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("bent", [False, True])
@pytest.mark.parametrize("chunk", [1, 3])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_interactions(kind, f, rule, chunk, bent, raw):
    basis, width = random_basis(D, 4), kind(f).shape[2]
    C = torch.eye(width).double() if raw else random(width, 3, seed=8)
    features = (f - basis.mean) @ basis.rotation
    slopes = random(N, S, C.shape[1], seed=9) if bent else None
    rotation = RawBasis(width).rotation if raw else C
    readout = Readout(rotation, N * S, None, slopes)
    parts = kind.interactions(Question(f, features, basis.inverse, readout, rule, chunk))
    found = InteractionMoments.stack(list(parts))
    A = torch.stack(
        [
            torch.einsum("sj,jd,tesd,ei->jti", f_hat, basis.inverse, J, C)
            for J, f_hat in zip(jacobians(kind, f, rule), features, strict=True)
        ],
        1,
    )
    truth = Readout(C, N * S, None, slopes).moments(A)
    assert torch.allclose(found.strength, truth.strength, rtol=1e-9)
    assert torch.allclose(found.effect, truth.effect, atol=1e-11 * truth.effect.abs().max())
    assert torch.allclose(found.stderr, truth.stderr, rtol=1e-7)


def test_strengths_are_not_negative_where_they_cancel():
    """Along f itself a norm changes nothing: what is left is rounding."""
    norm = Norm(torch.ones(D), None, 0.0, centred=False)
    kind, f = NormLinear(norm, random(D, V).float()), torch.ones(3, 2, D)
    readout = Readout(torch.eye(V), 6)
    (found,) = kind.interactions(Question(f, f[..., :1], f[0, :1], readout, RULES[0], 1))
    assert (found.strength >= 0).all()
    assert found.strength.max() < 1e-9


WHOLE = {
    "plain": ResidualMLP(random(D, H), random(H), random(H, D, seed=2), random(D), "tanh"),
    "gated": GatedMLP(random(D, H), random(D, H, seed=3), random(H, D, seed=2), "silu"),
    "attention": Attention(
        *(random(2, D, 3, seed=i) for i in range(3)), random(2, 3, D), b_o=random(D)
    ),
}


@pytest.mark.parametrize("whole", WHOLE)
def test_a_part_beside_the_residual_stream(whole, f):
    """[n, f] ↦ f + G(n) of f ↦ f + G(norm(f)), its moment and its interactions."""
    norm = NORMS["layer"]
    tail = replace(WHOLE[whole], norm=norm).beside_residual()
    both = torch.cat([norm(f), f], -1)
    assert torch.allclose(tail(both), replace(WHOLE[whole], norm=norm)(f), rtol=1e-12)
    rule, C, basis = RULES[0], random(D, 3, seed=8), random_basis(2 * D, 4)
    J = [jacobian_of(lambda z, _: tail(z), x, rule) for x in both]
    truth = sum(torch.einsum("tisa,ir,jr,tjsb->ab", j, C, C, j) for j in J)
    assert (tail.second_moment(both, C, rule) - truth).norm() < 1e-12 * truth.norm()
    features = basis.coordinates(both)
    parts = tail.interactions(Question(both, features, basis.inverse, Readout(C, N * S), rule, 3))
    A = [
        torch.einsum("sj,jd,tesd,ei->jti", f_hat, basis.inverse, j, C)
        for j, f_hat in zip(J, features, strict=True)
    ]
    truth = InteractionMoments.of(torch.stack(A, 1), N * S)
    found = InteractionMoments.stack(list(parts))
    assert torch.allclose(found.strength, truth.strength, rtol=1e-9)
    assert torch.allclose(found.effect, truth.effect, atol=1e-11 * truth.effect.abs().max())
