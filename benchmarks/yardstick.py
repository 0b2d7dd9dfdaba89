"""The plain way: one backward pass per output position and column of the next layer's basis.

The same mathematics as lib-graph's, for any function that autograd knows (docs/method.md §3, §4).
Loops that would run for hours make some of their passes, spread evenly, and the rest is counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Loop", "interactions_loop", "moment_loop"]

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Loop:
    """What the passes made add up to, and the CPU seconds that all passes take."""

    result: Tensor
    seconds: float


def moment_loop(
    function: Function,
    f: Float[Tensor, "n s d"],
    next_rotation: Float[Tensor, "e r"],
    passes: int | None = None,
) -> Loop:
    """Return Σ_x Σ_s Σ_t J_ts K J_tsᵀ (d × d): N S · M'."""
    loop = _Gradients(function, f, next_rotation, passes)
    total = f.new_zeros(f.shape[-1], f.shape[-1])
    start = time.process_time()
    for _, gradient in loop:
        rows = gradient.flatten(0, 1)
        total.addmm_(rows.T, rows)
    return Loop(total, loop.share(time.process_time() - start))


def interactions_loop(
    function: Function,
    f: Float[Tensor, "n s d"],
    features: Float[Tensor, "n s r"],
    inverse: Float[Tensor, "r d"],
    next_rotation: Float[Tensor, "e next_r"],
    passes: int | None = None,
) -> Loop:
    """Return Σ_x Σ_t A_itj² (r × r'): N S · E."""
    loop = _Gradients(function, f, next_rotation, passes)
    total = f.new_zeros(len(inverse), next_rotation.shape[1])
    start = time.process_time()
    for column, gradient in loop:
        attributions = ((gradient @ inverse.T) * features).sum(1)
        total[:, column] += attributions.square().sum(0)
    return Loop(total, loop.share(time.process_time() - start))


class _Gradients:
    """The gradients of every output at every position, column by column."""

    def __init__(
        self,
        function: Function,
        f: Float[Tensor, "n s d"],
        next_rotation: Float[Tensor, "e r"],
        passes: int | None,
    ) -> None:
        self.f = f.detach().requires_grad_()
        self.outputs = function(self.f) @ next_rotation
        self.all = self.outputs[0].numel()
        self.made = self.all if passes is None else min(passes, self.all)

    def __iter__(self) -> Iterator[tuple[int, Float[Tensor, "n s d"]]]:
        for i in torch.linspace(0, self.all - 1, self.made).round().long().tolist():
            position, column = divmod(i, self.outputs.shape[-1])
            seed = self.outputs[:, position, column].sum()
            yield column, torch.autograd.grad(seed, self.f, retain_graph=True)[0]

    def share(self, seconds: float) -> float:
        """Return the seconds of all passes, given those of the passes made."""
        return seconds * self.all / self.made
