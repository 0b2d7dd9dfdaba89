"""What spares tracing a second pass: the graph is the same without it."""

from __future__ import annotations

import re

import pytest
import torch
from torch import fx, nn

from lib_graph.cutting import tracing
from lib_graph.cutting.traced import Course
from lib_graph.cutting.tracing import LEFT_ALONE, exported


class Everything(nn.Module):
    """Has all the operations that are left alone."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(7, 4)
        self.first, self.norm = nn.Linear(4, 4), nn.LayerNorm(4)
        self.weight = nn.Parameter(torch.linspace(-1, 1, 16).reshape(4, 4))

    def forward(self, tokens):
        n, s = tokens.shape
        x = self.norm(self.first(self.table(tokens)))
        x = x + torch.relu(x) - torch.tanh(x).abs() * torch.sigmoid(-x)
        attention = torch.bmm(x, x.transpose(1, 2)).softmax(-1)
        x = torch.einsum("nts,nsd->ntd", attention, x) @ self.weight
        x = x / (x.pow(2).mean(-1, keepdim=True).sqrt() + 1)
        x = nn.functional.silu(x) + nn.functional.gelu(x) * (x.exp() + 1).rsqrt()
        x = torch.cat([x.cos(), x.sin()], -1)
        ends = x[:, -1].unsqueeze(1).expand(n, (s + 1) * 2 - s // 2, 8)
        return x[:, 1:].sum(1) + ends.permute(0, 2, 1).sum(-1) + x[:, :1].squeeze(1)


class Changing(nn.Module):
    """Changes a buffer and a tensor in place, and takes apart what torch composes."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(4))

    def forward(self, x):
        self.seen.add_(x.sum(0))
        y = x.reshape(-1, 2, 2).flatten(1) * 2
        y.mul_(3)
        return y


EXAMPLES = {
    "everything": (Everything(), torch.tensor([[0, 1, 2], [3, 4, 5]])),
    "perceptron": (nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), torch.ones(5, 3)),
    "changing": (Changing(), torch.ones(5, 4)),
}


def written(graph):
    """Return all of a graph, but for the names of nodes and of symbolic sizes."""
    number = {node: index for index, node in enumerate(graph.nodes)}
    lines = []
    for node in graph.nodes:
        arguments = fx.node.map_arg((node.args, dict(node.kwargs)), lambda n: f"%{number[n]}")
        value = node.meta.get("val")
        like = (value.dtype, value.shape) if isinstance(value, torch.Tensor) else type(value)
        target = node.name if node.op == "placeholder" else node.target
        lines.append(re.sub(r"s\d+", "s", f"{node.op} {target} {arguments} {like}"))
    return lines


def traced(name, monkeypatch, stays):
    module, x = EXAMPLES[name]
    found = []

    def watched(program):
        found.append((stays(program), {n.target for n in program.graph.nodes}))
        return found[-1][0]

    monkeypatch.setattr(tracing, "_as_it_stays", watched)
    graph = exported(module, (x,), [], Course())
    ((left, operations),) = found
    parameters = [graph.parameters.get(node) for node in graph.nodes]
    return left, operations, (written(graph.module.graph), parameters, graph.changed)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_graph_is_the_same_with_and_without_the_second_pass(name, monkeypatch):
    own = tracing._as_it_stays
    left, operations, found = traced(name, monkeypatch, own)
    _, _, whole = traced(name, monkeypatch, lambda _: False)
    assert left == (name != "changing")
    assert found == whole
    if name == "everything":
        assert operations >= LEFT_ALONE
