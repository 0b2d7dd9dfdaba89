"""MLPs, plain and gated, behind any norm: closed forms against full Jacobians."""

from dataclasses import fields, replace

import pytest
import torch
from torch import nn

from lib_graph.kinds import GatedMLP, Norm, ResidualMLP, hidden_units, switching
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
    check_interactions(mlp, f, rule, chunk)


@pytest.mark.parametrize("held", [1, 1 << 22])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize("name", MLPS)
def test_the_interactions_by_units_that_switch(name, rule, held, monkeypatch):
    """All ways are forced through the tree, where every row has the units of the one before."""
    monkeypatch.setattr(switching, "SMALLEST", 0)
    monkeypatch.setattr(switching, "AT_MOST", 1.0)
    monkeypatch.setattr(hidden_units, "HELD", held)
    monkeypatch.setattr(hidden_units, "ELEMENTS", 2 * held)
    mlp, x = MLPS[name](None), random(N, S, D, seed=6) + 0.3
    x[1, 0] = x[0, 1]  # nothing switches here
    slopes = mlp._along(x.flatten(0, 1), rule)[0][1].branches.flatten(1)
    assert switching.Switching.of(slopes, 1) is not None or mlp.activation != "relu"
    check_interactions(mlp, x, rule, 3)


def test_units_that_switch_are_taken_where_they_are_few():
    """As many products as a small language model's: both ways say the same."""
    d, h, n = 32, 1024, 40
    parameter = random(d, h).requires_grad_()  # as a module's are
    mlp = ResidualMLP(parameter, random(h), random(h, d, seed=2), None, "relu", None)
    f = random(1, 1, d) + random(n, 1, d, seed=3) / 5
    slopes = mlp._along(f.flatten(0, 1), RULES[0])[0][1].branches.flatten(1)
    found = switching.Switching.of(slopes, d * d)
    assert found is not None
    assert sum(map(len, found.units)) < n * h / 4
    C, inverse = random(d, d, seed=8), random(d, d, seed=9)
    question = Question(f, random(n, 1, d, seed=5), inverse, Readout(C, n), RULES[0], 16)
    quick = InteractionMoments.stack(list(mlp.interactions(question)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(switching, "SMALLEST", float("inf"))
        slow = InteractionMoments.stack(list(mlp.interactions(question)))
    for name in ("square", "deviation", "signed"):
        one, other = getattr(quick, name), getattr(slow, name)
        assert (one - other).norm() < 1e-13 * other.norm()


def test_jacobians_of_all_rows_take_no_more_than_may_be_held(monkeypatch):
    """However many sources are taken together: a plan looks at few rows, a batch has many."""
    mlp, f = MLPS["without biases"](None), random(N, S, D, seed=6)
    monkeypatch.setattr(switching, "SMALLEST", 0)
    monkeypatch.setattr(switching, "AT_MOST", 1.0)
    f[1, 0] = f[0, 1]
    monkeypatch.setattr(hidden_units, "HELD", 2 * N * S * 3)
    sizes, jacobians = [], switching.Switching.jacobians

    def measured(*given):
        found = jacobians(*given)
        sizes.append(found.numel())
        return found

    monkeypatch.setattr(switching.Switching, "jacobians", measured)
    check_interactions(mlp, f, RULES[0], 4)
    assert sizes == [2 * N * S * 3] * 2


def test_the_order_of_rows_lets_fewest_units_switch():
    slopes = (random(12, 9) > 0).double()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(switching, "SMALLEST", 0)
        found = switching.Switching.of(slopes, 1)
    assert sorted(found.rows) == list(range(12))
    assert all(parent in found.rows[: i + 1] for i, parent in enumerate(found.parents))
    apart = {(i, j): int((slopes[i] != slopes[j]).sum()) for i in range(12) for j in range(i)}
    group, least = list(range(12)), 0
    for (i, j), switched in sorted(apart.items(), key=lambda pair: pair[1]):  # Kruskal's algorithm
        if group[i] != group[j]:
            least += switched
            group = [group[i] if g == group[j] else g for g in group]
    assert sum(map(len, found.units)) == least


@pytest.mark.parametrize(
    "slopes",
    [random(6, 2048).abs(), (random(6, 2048) > 0).double(), torch.ones(1, 2048).double()],
    ids=["all change", "half of them change", "one row"],
)
def test_units_that_switch_are_not_taken_where_they_are_many(slopes):
    assert switching.Switching.of(slopes, 1 << 20) is None


@pytest.mark.parametrize(("pairs", "taken"), [(853, False), (854, True)])
def test_units_that_switch_are_not_taken_where_little_is_spared(pairs, taken):
    """At least 6 of 10 units stay as they are: of 1,024, and all pairs, 2^19 products."""
    slopes = torch.ones(2, 1024).double()
    assert (switching.Switching.of(slopes, pairs) is not None) is taken


def check_interactions(mlp, f, rule, chunk):
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
