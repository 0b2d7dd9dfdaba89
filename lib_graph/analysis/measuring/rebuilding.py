"""How much of a layer its features rebuild (docs/method.md §18)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.analysis.reopening import Reopened
from lib_graph.method.dictionary import Basis
from lib_graph.support.sparsity import Floats

__all__ = ["rebuilt"]

ROWS = 8  # samples that are looked at together


@torch.no_grad()
def rebuilt(opened: Reopened) -> dict[str, Floats]:
    """Return, of each layer that is not raw, which share of its variance the first n features tell.

    They are taken by falling importance, n = 1 to all of them: 1 − Σ|f − f̃_n|² / Σ|f − f̄|², with
    f̃_n = Σ_k f̂_k D_k + c over the first n features, which may be those of a dictionary; a mean of
    the activations alone has 0.
    """
    layers = [layer for layer in opened.network.layers if not opened.bases[layer.name].raw]
    left: dict[str, Tensor | float] = dict.fromkeys((layer.name for layer in layers), 0.0)
    sums, squares = dict(left), dict(left)
    count = dict.fromkeys(left, 0)
    for rows in opened.subject.inputs[0].split(ROWS):
        activations = opened.network.run(rows).activations
        for layer in layers:
            f = activations[layer.index].double()
            left[layer.name] += _left(f, opened.bases[layer.name])
            sums[layer.name] += f.sum((0, 1))
            squares[layer.name] += f.square().sum()
            count[layer.name] += f.shape[0] * f.shape[1]
    found = {}
    for name, rest in left.items():
        whole = squares[name] - torch.as_tensor(sums[name]).square().sum() / count[name]
        found[name] = (1 - torch.as_tensor(rest) / whole).numpy()
    return found


def _left(f: Float[Tensor, "n s d"], basis: Basis) -> Float[Tensor, " r"]:
    """Return Σ|f − f̃_n|² for each number n of features, 1 to all."""
    amounts = basis.amounts(f)
    rest, found = f - basis.origin_at(f), []
    assert basis.importance is not None  # of a layer that is not raw
    for k in basis.importance.argsort(descending=True, stable=True):
        rest = rest - amounts[..., k, None] * basis.inverse[k]
        found.append(rest.square().sum())
    return torch.stack(found)
