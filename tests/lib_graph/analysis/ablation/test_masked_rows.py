"""Sections under a mask, against the module itself, run once for each different row of the mask."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lib_graph.analysis.ablation.masks import MaskedSection
from lib_graph.analysis.ablation.scored import ScoredBatch
from lib_graph.data.evaluation import Evaluation, Metric
from lib_graph.kinds import Attention, GatedMLP, Linear, Norm, NormLinear, Perceptron, ResidualMLP
from lib_graph.method import ends
from lib_graph.method.basis import RawBasis
from lib_graph.method.network import Batch, Layer, Network, Section
from tests.lib_graph.nets import random_, random_basis

D, H, N, S = 6, 9, 3, 4
NORMS = {"bare": nn.Identity, "layer": lambda: nn.LayerNorm(D), "rms": lambda: nn.RMSNorm(D, 1e-3)}
ACTS = {"silu": functional.silu, "gelu": functional.gelu}


def norm_of(module: nn.Module) -> Norm | None:
    if isinstance(module, nn.Identity):
        return None
    centred = isinstance(module, nn.LayerNorm)
    return Norm(module.weight, module.bias if centred else None, module.eps, centred)


class Gated(nn.Module):
    def __init__(self, norm: str, act: str) -> None:
        super().__init__()
        self.norm, self.act = NORMS[norm](), act
        self.gate, self.up = nn.Linear(D, H, bias=norm != "rms"), nn.Linear(D, H)
        self.down = nn.Linear(H, D)

    def forward(self, x: Tensor) -> Tensor:
        n = self.norm(x)
        return x + self.down(ACTS[self.act](self.gate(n)) * self.up(n))

    def kind(self) -> GatedMLP:
        bias = self.gate.bias
        return GatedMLP(
            self.gate.weight.T, self.up.weight.T, self.down.weight.T, self.act, norm_of(self.norm),
            bias, self.up.bias, self.down.bias,
        )  # fmt: skip


class Plain(nn.Module):
    def __init__(self, norm: str) -> None:
        super().__init__()
        self.norm, self.up, self.down = NORMS[norm](), nn.Linear(D, H), nn.Linear(H, D, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(torch.tanh(self.up(self.norm(x))))

    def kind(self) -> ResidualMLP:
        up, down = self.up, self.down
        return ResidualMLP(up.weight.T, up.bias, down.weight.T, None, "tanh", norm_of(self.norm))


class Heads(nn.Module):
    """Two heads of three behind a norm, which see what is before them."""

    def __init__(self, norm: str) -> None:
        super().__init__()
        self.norm, self.into, self.out = NORMS[norm](), nn.Linear(D, 3 * D), nn.Linear(D, D)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            part.unflatten(-1, (2, 3)).transpose(1, 2)
            for part in self.into(self.norm(x)).chunk(3, -1)
        )
        scores = q @ k.mT / 3**0.5
        hidden = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        o = scores.masked_fill(hidden, -torch.inf).softmax(-1) @ v
        return x + self.out(o.transpose(1, 2).flatten(2))

    def kind(self) -> Attention:
        q, k, v = (w.T.unflatten(1, (2, 3)).movedim(1, 0) for w in self.into.weight.chunk(3))
        b_q, b_k, b_v = (b.unflatten(0, (2, 3)) for b in self.into.bias.chunk(3))
        w_o = self.out.weight.T.unflatten(0, (2, 3))
        return Attention(q, k, v, w_o, b_q, b_k, b_v, self.out.bias, norm=norm_of(self.norm))


class Logits(nn.Module):
    def __init__(self, norm: str, outputs: int | None) -> None:
        super().__init__()
        self.norm = NORMS[norm]()
        self.read = nn.Identity() if outputs is None else nn.Linear(D, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.norm(x))

    def kind(self) -> Norm | NormLinear | None:
        norm = norm_of(self.norm)
        if isinstance(self.read, nn.Identity):
            return norm
        return norm and NormLinear(norm, self.read.weight.T, self.read.bias)


class Units(nn.Module):
    def __init__(self, act: bool) -> None:
        super().__init__()
        self.line, self.act = nn.Linear(D, 5), act

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.line(x)) if self.act else self.line(x)

    def kind(self) -> Linear | Perceptron:
        weight, bias = self.line.weight.T, self.line.bias
        return Perceptron(weight, bias, "tanh") if self.act else Linear(weight, bias)


CASES = {
    **{f"gated, {norm}, {act}": (Gated, norm, act) for norm in NORMS for act in ACTS},
    **{f"MLP, {norm}": (Plain, norm) for norm in NORMS},
    **{f"attention, {norm}": (Heads, norm) for norm in NORMS},
    **{f"norm, {norm}": (Logits, norm, None) for norm in ("layer", "rms")},
    **{f"logits, {norm}": (Logits, norm, 8) for norm in ("layer", "rms")},
    "linear": (Units, False),
    "perceptron": (Units, True),
}


@pytest.mark.parametrize("features", [3, 5, D])
@pytest.mark.parametrize("name", CASES)
def test_every_target_is_computed_from_the_sources_that_its_row_keeps(name, features, monkeypatch):
    monkeypatch.setattr(ends, "BLOCK", 5 * H)  # five of twelve rows at a time
    make, *options = CASES[name]
    generator = torch.Generator().manual_seed(features)
    block = random_(make(*options)).requires_grad_(False)
    x = torch.randn(N, S, D, generator=generator, dtype=torch.float64)
    width = block(x).shape[2]
    raw = "logits" in name
    source = random_basis(D, features)
    target = RawBasis(width) if raw else random_basis(width, 4, seed=1)
    mask = torch.rand(features, target.features, generator=generator) < 0.6
    mask[:, 0], mask[:, 1] = False, mask[:, 2]

    f_hat = (x - source.mean) @ source.rotation
    expected = []
    for i in range(target.features):
        result = block((f_hat * mask[:, i]) @ source.inverse + source.mean)
        column = result[..., i] if raw else (result - target.mean) @ target.rotation[:, i]
        expected.append(column)

    found = MaskedSection.of(*_scored_batch(block.kind(), x, source, target), f_hat)(mask)
    assert torch.allclose(found, torch.stack(expected, -1), rtol=1e-10, atol=1e-10)


def _scored_batch(kind, x, source, target):
    """A batch for one section, of which nothing but its kind is there."""
    layers = tuple(
        Layer(i, name, ((S, basis.width),))
        for i, (name, basis) in enumerate({"in": source, "out": target}.items())
    )
    section = Section(*layers, None, {}, (), kind)
    network = Network(layers, (section,), lambda *inputs: (inputs, ()))
    evaluation = Evaluation("random", (x,), torch.zeros(N, S, dtype=torch.long))
    bases = {"in": source, "out": target}
    batch = ScoredBatch.of(network, bases, Metric("accuracy"), evaluation, Batch((x,), ()))
    return batch, section
