"""The second moment of a section's Jacobian (docs/method.md §3)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.network import Batch, Constants, Section
from lib_graph.rules import Rule

__all__ = ["second_moment"]


def second_moment(
    section: Section,
    batch: Batch,
    next_rotation: Float[Tensor, "e r"],
    rule: Rule,
    chunk: int,
) -> Float[Tensor, "d d"]:
    """Return N S · M' = Σ_x Σ_s Σ_t J_ts K J_tsᵀ of one batch, K = C Cᵀ, C = `next_rotation`.

    J_ts = ∂F_t/∂f_s (d × d') is averaged over the path of `rule`, with the biases scaled along. A
    section that says what it is answers in closed form; any other by one VJP per output position
    (one for all, if none reaches another) and column of C, `chunk` of them at a time. The products
    are summed in float64. Positions that do not count are in neither sum.
    """
    f, counted = batch.activations[section.source.index], batch.mask(section.target)
    if section.kind is not None:
        closed = section.kind.second_moment(f, next_rotation, rule, counted)
        if closed is not None:
            return closed
    pullbacks = [_pullback(section, f, batch.constants, alpha) for alpha in rule.nodes]
    n, t = batch.activations[section.target.index].shape[:2]
    total = f.new_zeros(f.shape[-1], f.shape[-1], dtype=torch.float64)
    for places in [slice(None)] if section.local else [slice(i, i + 1) for i in range(t)]:
        for columns in next_rotation.T.split(chunk):
            seeds = f.new_zeros(len(columns), n, t, columns.shape[-1])
            seeds[:, :, places] = columns[:, None, None]
            if counted is not None:
                seeds *= counted[..., None]
            gradient = f.new_zeros(len(columns), *f.shape)
            for weight, pullback in zip(rule.weights, pullbacks, strict=True):
                gradient += weight * torch.func.vmap(pullback)(seeds)[0]
            mask = batch.mask(section.source)
            rows = (gradient if mask is None else gradient[:, mask]).flatten(0, -2)
            total += (rows.T @ rows).double()
    return total


def _pullback(
    section: Section, f: Tensor, constants: Constants, alpha: float
) -> Callable[[Tensor], tuple[Tensor]]:
    biases = section.scaled_biases(alpha)
    pullback: Callable[[Tensor], tuple[Tensor]]
    pullback = torch.func.vjp(lambda z: section(z, constants, biases), alpha * f)[1]
    return pullback
