"""Attention of every kind: closed forms against full Jacobians."""

from dataclasses import fields, replace

import pytest
import torch

from lib_graph.cutting.kindcheck import check_kinds
from lib_graph.errors import ModelError
from lib_graph.kinds import Attention, Fixed, Norm, Rotary
from lib_graph.kinds.attention import edges, spans
from lib_graph.kinds.attention import moment as moment_module
from lib_graph.kinds.attention.few import FewPositions
from lib_graph.method.moments import InteractionMoments
from lib_graph.method.network import Layer, Network, Section
from lib_graph.method.question import Question
from lib_graph.method.readout import Readout
from lib_graph.method.rules import Rule
from tests.lib_graph.nets import jacobian_of, random_basis

D, H, E, N, S = 9, 4, 4, 2, 6


def random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def rotary(length=S, pairs=E // 2):
    angles = torch.arange(length).double()[:, None] * torch.tensor([1.0, 0.2]).double()[:pairs]
    return Rotary(angles.cos(), angles.sin())


def attention(groups=H, biases=False, **options):
    weights = [random(H, D, E, seed=1), random(groups, D, E, seed=2), random(groups, D, E, seed=3)]
    added = [random(H, E), random(groups, E, seed=1), random(groups, E, seed=2), random(D)]
    return Attention(
        *(w / 2 for w in weights),
        random(H, E, D, seed=4) / 2,
        *(added if biases else ()),
        **options,
    )


LAYER = Norm(1 + random(D) / 3, random(D, seed=1), 1e-3, centred=True)
RMS = Norm(1 + random(D) / 3, None, 1e-3, centred=False)
LAST = slice(-1, None)
MASK = torch.ones(S, S).tril().bool() & (random(S, S) > -0.7) | torch.eye(S).bool()
OPTIONS = {
    "plain": {},
    "biased": {"biases": True},
    "grouped": {"groups": 2, "biases": True},
    "multi-query": {"groups": 1},
    "windowed": {"window": 3},
    "rotary": {"positions": rotary()},
    "LayerNorm": {"norm": LAYER, "biases": True},
    "RMSNorm": {"norm": RMS},
    "as in GPT-Neo": {"norm": LAYER, "scale": 1.0, "window": 2},
    "as in Llama": {"norm": RMS, "positions": rotary(), "groups": 2},
    "all": {"norm": LAYER, "positions": rotary(), "groups": 2, "window": 4, "biases": True},
    "not causal": {"norm": RMS, "causal": False},
    "not causal, windowed": {"causal": False, "window": 2, "positions": rotary()},
    "masked": {"mask": MASK, "causal": False, "norm": LAYER},
    "not itself": {"mask": torch.eye(S).roll(2, 1).bool(), "causal": False, "norm": LAYER},
    "scaled tables": {"positions": Rotary(0.8 * rotary().cos, 0.8 * rotary().sin), "norm": RMS},
    "no residual": {"norm": RMS, "positions": rotary(), "residual": False},
    "last position only": {"outputs": LAST, "causal": False, "biases": True},
    "last position, mixed": {"outputs": LAST, "norm": LAYER, "positions": rotary(), "groups": 2},
    "every other position": {"outputs": slice(1, None, 2), "norm": RMS, "positions": rotary()},
}
GRADIENT, PATH = Rule.named("gradient"), Rule.named("gauss-legendre", 3)


@pytest.fixture(params=OPTIONS)
def kind(request):
    return attention(**OPTIONS[request.param])


@pytest.fixture
def f():
    return random(N, S, D, seed=6) + 0.3


def with_biases_times(kind, alpha):
    """The same attention, all biases times alpha."""
    names = [name for name in ("b_q", "b_k", "b_v", "b_o") if getattr(kind, name) is not None]
    norm = kind.norm
    if norm is not None and norm.bias is not None:
        norm = replace(norm, bias=alpha * norm.bias)
    return replace(kind, norm=norm, **{name: alpha * getattr(kind, name) for name in names})


def jacobian(kind, x, rule=GRADIENT):
    """J from autograd through F itself: t × e × s × d."""
    return jacobian_of(lambda z, alpha: with_biases_times(kind, alpha)(z), x, rule)


def moment(J, C):
    return torch.einsum("tisa,ir,jr,tjsb->ab", J, C, C, J)


def attributions(J, features, basis, C):
    return torch.einsum("sj,jd,tesd,ei->jti", features, basis.inverse, J, C)


def relative(found, truth):
    return float((found - truth).norm() / truth.norm())


def plainly(kind, x):
    """F for one sample, position by position and head by head."""
    n = x if kind.norm is None else kind.norm(x)
    share = H // len(kind.w_k)
    e = kind.w_q.shape[-1]
    scale = e**-0.5 if kind.scale is None else kind.scale

    def turned(row, s):
        if not isinstance(kind.positions, Rotary):
            return row
        turn = torch.complex(kind.positions.cos[s], kind.positions.sin[s])
        pairs = torch.complex(row[: e // 2], row[e // 2 :]) * turn
        return torch.cat([pairs.real, pairs.imag])

    def row(w, b, h, s):
        return n[s] @ w[h] + (0 if b is None else b[h])

    def sees(t, s):
        return (
            (s <= t or not kind.causal)
            and (kind.window is None or abs(t - s) < kind.window)
            and (kind.mask is None or bool(kind.mask[t, s]))
        )

    out = []
    for t in range(len(x))[kind.outputs]:
        total = x[t].clone() if kind.residual else torch.zeros_like(x[t])
        for h in range(H):
            seen = [s for s in range(len(x)) if sees(t, s)]
            q = turned(row(kind.w_q, kind.b_q, h, t), t)
            keys = [turned(row(kind.w_k, kind.b_k, h // share, s), s) for s in seen]
            values = torch.stack([row(kind.w_v, kind.b_v, h // share, s) for s in seen])
            pattern = torch.stack([scale * (q @ k) for k in keys]).softmax(0)
            total = total + pattern @ values @ kind.w_o[h]
        out.append(total if kind.b_o is None else total + kind.b_o)
    return torch.stack(out)


def test_the_value(kind, f):
    assert relative(kind(f), torch.stack([plainly(kind, x) for x in f])) < 1e-13


@pytest.mark.parametrize("name", [name for name in OPTIONS if "mask" not in OPTIONS[name]])
def test_the_value_at_another_length(name):
    kind, x = attention(**OPTIONS[name]), random(1, S - 2, D)
    assert relative(kind(x), plainly(kind, x[0])[None]) < 1e-13


def test_the_second_moment(kind, f):
    C = random(D, 5, seed=8)
    truth = sum(moment(jacobian(kind, x), C) for x in f)
    assert relative(kind.second_moment(f, C, GRADIENT, None), truth) < 1e-12


def test_the_second_moment_of_counted_outputs(kind, f):
    C = random(D, 5, seed=8)
    J = torch.stack([jacobian(kind, x) for x in f])
    counted = random(*J.shape[:2], seed=2) > -0.5
    assert 0 < counted.sum() < counted.numel()
    truth = sum(moment(j[c], C) for j, c in zip(J, counted, strict=True))
    assert relative(kind.second_moment(f, C, GRADIENT, counted), truth) < 1e-12


def test_no_average_along_a_path_in_closed_form(kind, f):
    assert kind.second_moment(f, random(D, 5), PATH, None) is None


def check_interactions(kind, f, rule, chunk, counted=None):
    basis, C = random_basis(D, 4), random(D, 3, seed=8)
    features = basis.coordinates(f)
    readout = Readout(C, N * S, counted)
    parts = kind.interactions(Question(f, features, basis.inverse, readout, rule, chunk))
    found = InteractionMoments.stack(list(parts))
    A = [
        attributions(jacobian(kind, x, rule), f_hat, basis, C)
        for x, f_hat in zip(f, features, strict=True)
    ]
    truth = readout.moments(torch.stack(A, 1))
    for name in ("strength", "effect", "stderr"):
        assert relative(getattr(found, name), getattr(truth, name)) < 1e-12


@pytest.fixture(params=["by head's coordinates", "by position"])
def way(request, monkeypatch):
    """Both ways to sum what reaches a target, whatever the sizes."""
    few = request.param == "by position"
    monkeypatch.setattr(FewPositions, "suit", lambda *_: few)


@pytest.mark.usefixtures("way")
def test_the_interactions(kind, f):
    check_interactions(kind, f, GRADIENT, 3)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", ["biased", "as in Llama", "last position, mixed"])
def test_the_interactions_along_a_path(name, f):
    check_interactions(attention(**OPTIONS[name]), f, PATH, 3)


@pytest.mark.usefixtures("way")
def test_the_interactions_of_counted_outputs(f):
    counted = random(N, S, seed=2) > -0.5
    check_interactions(attention(**OPTIONS["all"]), f, GRADIENT, 4, counted)


@pytest.mark.usefixtures("way")
def test_the_interactions_of_parameters_that_can_be_trained(f):
    kind = attention(**OPTIONS["last position only"])
    kind.w_v.requires_grad_()
    features, readout = f @ random(D, 4), Readout(random(D, 3), N)
    question = Question(f, features, random(4, D, seed=1), readout, GRADIENT, 4)
    (found,) = kind.interactions(question)
    plain = replace(kind, w_v=kind.w_v.detach())
    (truth,) = plain.interactions(question)
    assert torch.equal(found.square, truth.square)


@pytest.mark.parametrize(
    ("norm", "positions", "size", "sources", "few"),
    [
        (None, 3, 32, 16, True),
        (None, 32, 32, 128, False),
        (None, 3, 8, 16, False),  # 16 products beside 32: not fewer than half
        (None, 3, 9, 16, True),
        (None, 3, 32, 6, True),  # 12 rows of each output are written for 6 attributions
        (None, 3, 32, 5, False),
        (RMS, 3, 32, 8, True),  # 15 rows
        (RMS, 3, 32, 7, False),
    ],
)
def test_positions_are_few_beside_the_size_of_heads(norm, positions, size, sources, few):
    """Modular addition's are; not if what they write takes more memory than what is asked for."""
    weights = [random(H, D, size, seed=i) for i in range(3)]
    kind = Attention(*weights, random(H, size, D), outputs=LAST, norm=norm)
    assert FewPositions.suit(kind._pass(random(N, positions, D)), sources) is few


@pytest.mark.parametrize(
    "name", ["all", "not causal, windowed", "last position, mixed", "not itself"]
)
def test_blocks_change_nothing(name, f, monkeypatch):
    kind, C, basis = attention(**OPTIONS[name]), random(D, 5, seed=8), random_basis(D, 4)

    def both():
        sources = f, basis.coordinates(f), basis.inverse
        parts = kind.interactions(Question(*sources, Readout(C, N * S), GRADIENT, 2))
        square = InteractionMoments.stack(list(parts)).square
        return kind.second_moment(f, C, GRADIENT, None), square

    whole = both()
    for module in (edges, moment_module):
        monkeypatch.setattr(module, "QUERIES", 1)
    monkeypatch.setattr(moment_module, "ROWS", 1)
    monkeypatch.setattr(edges, "ELEMENTS", 1)
    monkeypatch.setattr(spans, "ELEMENTS", 1)
    for found, truth in zip(both(), whole, strict=True):
        assert relative(found, truth) < 1e-13


def test_single_precision(kind, f):
    single = replace(
        kind,
        **{x.name: _single(getattr(kind, x.name)) for x in fields(kind) if x.name != "_"},
    )
    C, basis = random(D, 5, seed=8), random_basis(D, 4)
    found = single.second_moment(f.float(), C.float(), GRADIENT, None)
    assert found.dtype == torch.float64
    assert relative(found, kind.second_moment(f, C, GRADIENT, None)) < 1e-5
    features = basis.coordinates(f)
    sources = f, features, basis.inverse
    large = kind.interactions(Question(*sources, Readout(C, 1), GRADIENT, 4))
    sources = (x.float() for x in sources)
    small = single.interactions(Question(*sources, Readout(C.float(), 1), GRADIENT, 4))
    assert relative(next(small).square, next(large).square) < 1e-5


def _single(value):
    if isinstance(value, torch.Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, Norm | Rotary):
        return replace(value, **{x.name: _single(getattr(value, x.name)) for x in fields(value)})
    return value


def network_of(computed, declared):
    """A network whose one section computes what one kind says, and is declared another."""
    layers = tuple(Layer(i, name, ((S, D),)) for i, name in enumerate("ab"))
    section = Section(*layers, lambda tensors, *_: [computed(*tensors)], {}, (), declared)
    return Network(layers, (section,), lambda x: ([x], ()))


WRONG = {
    "scale": lambda kind: replace(kind, scale=1.0),
    "window": lambda kind: replace(kind, window=None),
    "norm": lambda kind: replace(kind, norm=replace(kind.norm, eps=1e-2)),
    "rotary order": lambda kind: replace(
        kind, positions=Rotary(kind.positions.cos.flip(1), kind.positions.sin.flip(1))
    ),
    "no rotary": lambda kind: replace(kind, positions=Fixed()),
    "direction": lambda kind: replace(kind, causal=False),
    "heads' order": lambda kind: replace(kind, w_k=kind.w_k.flip(0)),
    "a bias": lambda kind: replace(kind, b_k=None, b_q=None),
    "residual": lambda kind: replace(kind, residual=False),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_declaration_is_caught(name, f):
    kind = attention(**OPTIONS["all"])
    assert check_kinds(network_of(kind, kind), (f,)) == 0
    with pytest.raises(ModelError, match="after layer 'a' is not the Attention"):
        check_kinds(network_of(kind, WRONG[name](kind)), (f,))


def test_inputs_longer_than_the_rotary_tables_are_an_error():
    with pytest.raises(ModelError, match=f"hold {S} positions, the inputs have {S + 1}"):
        attention(**OPTIONS["rotary"])(random(1, S + 1, D))
