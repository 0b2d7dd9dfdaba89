"""Gauges of single sections: moved along them, nothing changes, and there are as many as found."""

from dataclasses import replace

import torch

import lib_graph
from lib_graph.analysis.degeneracy.gauges import gauges_of
from lib_graph.kinds import Attention, GatedMLP, ResidualMLP, Rotary
from lib_graph.method.network import Section


def attention(positions=None):
    torch.manual_seed(0)
    h, g, d, e = 4, 2, 5, 4

    def random(*shape):
        return torch.randn(shape, dtype=torch.float64)

    options = {} if positions is None else {"positions": positions}
    return Attention(
        random(h, d, e), random(g, d, e), random(g, d, e), random(h, e, d), random(h, e),
        random(g, e), random(g, e), random(d), **options,
    )  # fmt: skip


def per_query(x):
    """What each of the two key heads has, for the two queries that it serves."""
    return x.repeat_interleave(2, 0)


def directions(kind):
    """The sizes of the gauges of a section of one kind."""
    layer = lib_graph.build  # any name will do for a layer
    section = Section(_Named(), _Named(), layer, {}, (), kind)
    return {gauge.name: gauge.directions for gauge in gauges_of([section])}


class _Named:
    name = "a"


def rank_of(changes):
    """The number of independent directions among changes of several tensors."""
    return int(torch.linalg.matrix_rank(torch.stack(
        [torch.cat([x.flatten() for x in change]) for change in changes]
    )))  # fmt: skip


def unit_matrices(e):
    return torch.eye(e * e, dtype=torch.float64).view(-1, e, e)


def test_the_gauge_of_values():
    kind, f = attention(), torch.randn(3, 6, 5, dtype=torch.float64)
    G = torch.randn(2, 4, 4, dtype=torch.float64)
    turned = replace(
        kind, w_v=kind.w_v @ G, b_v=(kind.b_v[:, None] @ G)[:, 0],
        w_o=torch.linalg.inv(per_query(G)) @ kind.w_o,
    )  # fmt: skip
    assert torch.allclose(turned(f), kind(f), rtol=1e-9)
    changes = []
    for head in range(2):
        for E in unit_matrices(4):
            which = torch.zeros(2, 4, 4, dtype=torch.float64)
            which[head] = E
            changes.append((kind.w_v @ which, kind.b_v[:, None] @ which,
                            per_query(which) @ kind.w_o))  # fmt: skip
    assert directions(kind)["basis of W_V and W_O per head"] == rank_of(changes) == 2 * 16


def test_the_gauge_of_queries_and_keys():
    kind, f = attention(), torch.randn(3, 6, 5, dtype=torch.float64)
    G = torch.randn(2, 4, 4, dtype=torch.float64)
    back = torch.linalg.inv(G).mT
    turned = replace(
        kind, w_k=kind.w_k @ G, b_k=(kind.b_k[:, None] @ G)[:, 0],
        w_q=kind.w_q @ per_query(back), b_q=(kind.b_q[:, None] @ per_query(back))[:, 0],
    )  # fmt: skip
    assert torch.allclose(turned(f), kind(f), rtol=1e-9)
    assert directions(kind)["basis of W_Q and W_K per head"] == 2 * 16


def test_the_gauge_of_rotary_pairs():
    angles = torch.arange(6)[:, None] * torch.tensor([1.0, 0.3]).double()
    kind = attention(Rotary(angles.cos(), angles.sin()))
    f = torch.randn(3, 6, 5, dtype=torch.float64)

    def pairs(a, b):
        return torch.cat([torch.cat([torch.diag(a), torch.diag(b)], 1),
                          torch.cat([-torch.diag(b), torch.diag(a)], 1)])  # fmt: skip

    torch.manual_seed(1)
    Z = torch.stack([pairs(*torch.randn(2, 2).double()) for _ in range(2)])
    back = torch.linalg.inv(Z).mT
    turned = replace(
        kind, w_k=kind.w_k @ Z, b_k=(kind.b_k[:, None] @ Z)[:, 0],
        w_q=kind.w_q @ per_query(back), b_q=(kind.b_q[:, None] @ per_query(back))[:, 0],
    )  # fmt: skip
    assert torch.allclose(turned(f), kind(f), rtol=1e-9)
    changes = [(kind.w_k[:1] @ pairs(*part),) for part in unit_matrices(2)]
    name = "scale and phase of each rotary pair of W_Q and W_K per head"
    assert directions(kind)[name] == 2 * rank_of(changes) == 8


def test_the_gauges_of_hidden_units():
    torch.manual_seed(0)
    d, h = 3, 5

    def random(*shape):
        return torch.randn(shape, dtype=torch.float64)

    f, c = random(4, 2, d), torch.rand(h).double() + 0.5
    plain = ResidualMLP(random(d, h), random(h), random(h, d), random(d), "relu")
    scaled = replace(
        plain, w_in=plain.w_in * c, b_in=plain.b_in * c, w_out=plain.w_out / c[:, None]
    )
    assert torch.allclose(scaled(f), plain(f), rtol=1e-12)
    assert directions(plain) == {"scale of each ReLU unit": h}
    assert directions(replace(plain, activation="gelu")) == {}
    gated = GatedMLP(random(d, h), random(d, h), random(h, d), "silu", b_up=random(h))
    scaled = replace(
        gated, w_up=gated.w_up * c, b_up=gated.b_up * c, w_out=gated.w_out / c[:, None]
    )
    assert torch.allclose(scaled(f), gated(f), rtol=1e-12)
    assert directions(gated) == {"scale of each gated unit": h}
    both = replace(gated, activation="relu")
    scaled = replace(both, w_gate=both.w_gate * c, w_out=both.w_out / c[:, None])
    assert torch.allclose(scaled(f), both(f), rtol=1e-12)
    assert directions(both) == {"scale of each gated unit": h, "scale of each ReLU unit": h}
