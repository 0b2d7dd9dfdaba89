"""What the tests of transcoders that stand in have in common: a block, and a derivative."""

import torch
from torch import nn


class Block(nn.Module):
    """A residual MLP behind a norm, and what mixes positions in front, with `width` coordinates."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.Tanh(), nn.Linear(2 * width, width)
        )

    def forward(self, x):
        mixed = x + 0.3 * x.cumsum(1)
        return mixed + self.mlp(self.norm(mixed))


def along(J, tangents):
    """The derivative along tangents, of Jacobians t i s d by activations and t i b by biases."""
    letters = {2: "tisd,sd->ti", 1: "tib,b->ti"}
    return sum(torch.einsum(letters[v.ndim], j, v) for j, v in zip(J, tangents, strict=True))
