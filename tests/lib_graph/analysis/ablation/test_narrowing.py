"""A section of few features, read along few directions, is the section itself."""

import pytest
import torch

from lib_graph.analysis.ablation.narrowing import narrowed
from lib_graph.kinds import (
    Attention,
    GatedMLP,
    Linear,
    Norm,
    NormLinear,
    Perceptron,
    ResidualMLP,
    Rotary,
)
from lib_graph.kinds.attention import narrow
from lib_graph.method.ends import Ends
from lib_graph.method.network import Layer, Section

D, S = 6, 5


def drawn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def attention(groups=2, **options):
    weights = [drawn(4, D, 4), drawn(groups, D, 4, seed=1), drawn(groups, D, 4, seed=2)]
    return Attention(*weights, drawn(4, 4, D), **options)


TABLES = Rotary(drawn(S, 2).cos(), drawn(S, 2).sin())
KINDS = {
    "linear": Linear(drawn(D, 7), drawn(7)),
    "linear without bias": Linear(drawn(D, 7)),
    "perceptron": Perceptron(drawn(D, 7), drawn(7), "gelu"),
    "residual MLP": ResidualMLP(drawn(D, 9), drawn(9), drawn(9, D), drawn(D), "relu"),
    "residual MLP without biases": ResidualMLP(drawn(D, 9), None, drawn(9, D), None, "tanh"),
    "MLP with a norm": ResidualMLP(
        drawn(D, 9), drawn(9), drawn(9, D), drawn(D), "relu", Norm(drawn(D), None, 1e-5, False)
    ),
    "gated MLP": GatedMLP(drawn(D, 9), drawn(D, 9), drawn(9, D), "silu"),
    "attention": attention(4, b_q=drawn(4, 4), b_k=drawn(4, 4), b_v=drawn(4, 4), b_o=drawn(D)),
    "groups, rotary": attention(2, b_v=drawn(2, 4), positions=TABLES),
    "last position, scale, window": attention(outputs=slice(-1, None), scale=0.7, window=3),
    "last positions, rotary": attention(2, positions=TABLES, outputs=slice(-2, None)),
    "without residual": attention(4, residual=False, causal=False),
    "attention with a norm": attention(norm=Norm(drawn(D), drawn(D), 1e-5, True)),
    "masked, values of another size": Attention(
        drawn(2, D, 4),
        drawn(2, D, 4, seed=1),
        drawn(2, D, 3),
        drawn(2, 3, D),
        causal=False,
        mask=drawn(S, S).abs() > 0.5 * (1 - torch.eye(S)),
    ),
    "norm": Norm(drawn(D), drawn(D, seed=1), 1e-5, True),
    "norm without weights": Norm(torch.ones(1).double(), None, 1e-5, True),
    "norm without weights and linear": NormLinear(
        Norm(torch.ones(1).double(), None, 1e-5, True), drawn(D, 8)
    ),
    "norm and linear": NormLinear(Norm(drawn(D), None, 1e-5, False), drawn(D, 8)),
    "MLP beside the residual": ResidualMLP(
        drawn(3, 9), drawn(9), drawn(9, 3), drawn(3), "gelu"
    ).beside_residual(),
    "attention beside the residual": Attention(
        drawn(2, 3, 4), drawn(2, 3, 4, seed=1), drawn(2, 3, 4, seed=2), drawn(2, 4, 3)
    ).beside_residual(),
}


@pytest.mark.parametrize("columns", [1, 4, 5, None])  # of attention, heads are of size 4
@pytest.mark.parametrize("kept", [0, 2, 5])
@pytest.mark.parametrize("name", KINDS)
def test_narrow_is_the_section_itself(name, kept, columns):
    check_narrow(KINDS[name], kept, columns)


@pytest.mark.parametrize("few", [0, 1 << 10])
@pytest.mark.parametrize("columns", [1, 5])
@pytest.mark.parametrize("name", [x for x in KINDS if isinstance(KINDS[x], Attention)])
def test_narrow_attention_fused_or_not(name, columns, few, monkeypatch):
    monkeypatch.setattr(narrow, "FEW", few)
    check_narrow(KINDS[name], 2, columns)


def check_narrow(kind, kept, columns):
    f = drawn(3, S, D)
    layers = [Layer(0, "a", ((S, D),)), Layer(1, "b", (tuple(kind(f).shape[1:]),))]
    section = Section(*layers, None, {}, (), kind)
    directions, offset = drawn(kept, D), drawn(D, seed=3)
    toward = None if columns is None else drawn(kind(f).shape[2], columns)
    coordinates = drawn(kept, 3, S).permute(1, 2, 0)
    found = narrowed(section, Ends(directions, offset, toward))(coordinates, ())
    truth = kind(coordinates @ directions + offset)
    truth = truth if toward is None else truth @ toward
    assert torch.allclose(found, truth, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", KINDS)
def test_values_are_those_that_have_a_derivative(name):
    f = drawn(3, S, D)
    assert torch.allclose(KINDS[name].values(f), KINDS[name](f), rtol=1e-12, atol=1e-12)
