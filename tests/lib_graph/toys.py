"""Networks whose structure is known: blocks that do not touch, and linear maps of known ranks.

The neurons of every layer are turned by a random rotation, which must make no difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lib_graph.networks import Subject
from tests.lib_graph.nets import random_


def rotation(d: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(d, d, generator=generator, dtype=torch.float64))[0]


def linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    """The map x ↦ x W + b."""
    line = nn.Linear(*weight.shape, bias=bias is not None, dtype=torch.float64)
    line.weight.data = weight.T.contiguous()
    if bias is not None:
        line.bias.data = bias
    return line


@dataclass(frozen=True)
class Blocks:
    """A network of two blocks. `turns` is by what each layer's neurons are turned."""

    subject: Subject
    turns: dict[str, Tensor]


WIDTH = 3  # of a block


def blocks(inputs: Tensor, seed: int = 0) -> Blocks:
    """Two blocks of three layers, `inputs` n × 6, the first half of all neurons for each."""
    d = 2 * WIDTH
    mask = torch.block_diag(torch.ones(WIDTH, WIDTH), torch.ones(WIDTH, WIDTH))
    lines = [random_(nn.Linear(d, d), seed + i) for i in range(3)]
    for line in lines:
        line.weight.data *= mask
    turns = {name: rotation(d, seed + i) for i, name in enumerate("abc")}
    a, b, c = turns.values()
    module = nn.Sequential(
        linear(a.T), lines[0], nn.Tanh(), linear(b),
        linear(b.T), lines[1], nn.Tanh(), linear(c),
        linear(c.T), lines[2],
    )  # fmt: skip
    layers = ["a=0:in", "b=4:in", "c=8:in", "out=output"]
    return Blocks(Subject.of(module, inputs @ a, layers), turns | {"out": torch.eye(d).double()})


def product_inputs(each: int) -> Tensor:
    """Every input of the one block with every input of the other."""
    generator = torch.Generator().manual_seed(7)
    left, right = torch.randn(2, each, WIDTH, generator=generator, dtype=torch.float64)
    return torch.cat([left.repeat_interleave(each, 0), right.repeat(each, 1)], 1)


def ranked(ranks: tuple[int, int], spans: int, seed: int = 0) -> Subject:
    """Linear maps of the given ranks on data that span `spans` of six directions."""
    generator = torch.Generator().manual_seed(seed)

    def random(rows: int, columns: int, rank: int) -> Tensor:
        shape = [(rows, rank), (rank, columns)]
        left, right = (torch.randn(s, generator=generator, dtype=torch.float64) for s in shape)
        return left @ right

    x = random(200, 6, spans)
    a, b = rotation(6, 10 + seed), rotation(5, 20 + seed)
    first, second = random(6, 5, ranks[0]), random(5, 4, ranks[1])
    module = nn.Sequential(
        linear(a.T @ first @ b, torch.ones(5).double() @ b), linear(b.T @ second, torch.ones(4))
    ).double()
    return Subject.of(module, x @ a, ["a=0:in", "b=1:in", "output"])
