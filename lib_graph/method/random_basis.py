"""A random basis, to hold the others against (docs/method.md §2)."""

from __future__ import annotations

import hashlib

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.method.basis import RESOLUTION, LayerBasis, pca_basis
from lib_graph.method.moments import Moments

__all__ = ["random_basis", "random_turn"]


def random_basis(
    moments: Moments, layer: str, tau: float, seed: int, resolution: float = RESOLUTION
) -> LayerBasis:
    """Return C = R Q, C⁺ = Qᵀ R⁺: a random turn of the whitened space that LIB turns in by V.

    R = U D^-½ is LIB's; Q follows from `seed` and the layer's name alone. Features are uncorrelated
    and have variance 1, which is the importance of each. Raises ModelError if the layer is constant
    on the data.

    >>> rows = torch.tensor([[[3.0, 0.0]], [[-3.0, 0.0]], [[0.0, 1.0]], [[0.0, -1.0]]])
    >>> random_basis(Moments.of(rows), "x", 1e-12, 0).importance.tolist()
    [1.0, 1.0]
    """
    pca = pca_basis(moments, layer, tau, resolution)
    assert pca.importance is not None
    scale, turn = pca.importance.sqrt(), random_turn(pca.features, f"{seed} {layer}")
    return LayerBasis(
        pca.rotation / scale @ turn,
        turn.T @ (scale[:, None] * pca.inverse),
        pca.mean,
        pca.pca_eigenvalues,
        torch.ones_like(scale),
    )


def random_turn(size: int, name: str) -> Float[Tensor, "r r"]:
    """Return an orthogonal matrix that follows from a name, of Haar's distribution over names.

    >>> Q = random_turn(3, "0 x")
    >>> (Q @ Q.T).round(decimals=6).abs().tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
    generator = torch.Generator().manual_seed(number)
    normal = torch.randn(size, size, generator=generator, dtype=torch.float64)
    turn, upper = torch.linalg.qr(normal)
    found: Tensor = turn * upper.diagonal().sign()
    return found
