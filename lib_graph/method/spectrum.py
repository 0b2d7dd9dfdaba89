"""Eigenvectors that rounding does not choose (docs/method.md §15).

Where eigenvalues are equal only their space is determined. Its basis is chosen here as a function
of the projector to it, so that threads, libraries, devices and the order of the data do not choose.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = [
    "NOISE",
    "canonical_turn",
    "chained",
    "first_largest",
    "resolution_of",
    "spaces_of",
    "turned",
]

NOISE = 64 * torch.finfo(torch.float64).eps  # of the largest eigenvalue: what rounding leaves
APART = 1e-4  # of the largest variance in a space: what tells its directions apart
FIRST = 1e-2  # how much more the first coordinate counts than the last where sizes are compared


def resolution_of(dtype: torch.dtype) -> float:
    """Return how much of itself an eigenvalue must differ by, of a network in some precision.

    >>> f"{resolution_of(torch.float64):.1e} {resolution_of(torch.float32):.1e}"
    '1.2e-07 7.6e-06'
    """
    return float(max(NOISE**0.5, 64 * torch.finfo(dtype).eps))


def spaces_of(values: Float[Tensor, " r"], resolution: float, noise: float = NOISE) -> list[slice]:
    """Return the runs of equal values among descending ones; single values are left out.

    Neighbours are equal if λ_k − λ_{k+1} ≤ resolution · λ_k + noise · λ_1, and what is equal to an
    equal is equal.

    >>> spaces_of(torch.tensor([3.0, 2.0, 2.0 - 1e-9, 1.0], dtype=torch.float64), 1e-7)
    [slice(1, 3, None)]
    """
    return chained(values[:-1] - values[1:] <= resolution * values[:-1] + noise * values[:1])


def chained(equal: Bool[Tensor, " gaps"]) -> list[slice]:
    """Return the runs of two and more, given which ones are equal to their next.

    >>> chained(torch.tensor([True, True, False, False, True]))
    [slice(0, 3, None), slice(4, 6, None)]
    """
    spaces, start = [], 0
    for k, goes_on in enumerate([*equal.tolist(), False]):
        if not goes_on:
            if k > start:
                spaces.append(slice(start, k + 1))
            start = k + 1
    return spaces


def turned(
    values: Float[Tensor, " r"],
    vectors: Float[Tensor, "p r"],
    spaces: Sequence[slice],
    frame: Float[Tensor, "d p"] | None = None,
    variance: Float[Tensor, "d d"] | None = None,
) -> tuple[Float[Tensor, " r"], Float[Tensor, "p r"]]:
    """Return eigenvalues and eigenvectors, in each space the mean value and the canonical basis.

    `frame` takes the vectors into the coordinates of the layer, by orthonormal columns.
    """
    values, vectors = values.clone(), vectors.clone()
    for space in spaces:
        here = vectors[:, space]
        turn = canonical_turn(here if frame is None else frame @ here, variance)
        vectors[:, space] = here @ turn
        values[space] = values[space].mean()
    return values, vectors


def canonical_turn(
    space: Float[Tensor, "d m"], variance: Float[Tensor, "d d"] | None = None
) -> Float[Tensor, "m m"]:
    """Return Q, orthogonal, for which B Q depends on the projector B Bᵀ alone, but for signs.

    B = `space` has orthonormal columns. First its directions are told apart by their `variance`,
    the largest first; those of equal variance become as near to single coordinates as they can.

    >>> B = torch.tensor([[0.6, -0.8], [0.8, 0.6], [0.0, 0.0]])
    >>> (B @ canonical_turn(B)).round(decimals=6).abs().tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    """
    size = space.shape[1]
    turn, equal = torch.eye(size).to(space), [slice(0, size)]
    if variance is not None:
        found, vectors = torch.linalg.eigh(space.T @ variance @ space)
        turn = vectors.flip(1)
        equal = spaces_of(found.flip(0), 0.0, APART)
    for part in equal:
        turn[:, part] = turn[:, part] @ _nearest_coordinates(space @ turn[:, part])
    return turn


def _nearest_coordinates(space: Float[Tensor, "d m"]) -> Float[Tensor, "m m"]:
    """Return Q for which m rows of B Q, those of the pivots, are symmetric and positive.

    Then (B Q)_S = (P_SS)^½ with P = B Bᵀ, and Σ_k ‖(B Q)_k − e_S(k)‖² is the least there is.
    """
    left, _, right = torch.linalg.svd(space[_pivots(space)])
    turn: Tensor = (left @ right).T
    return turn


def _pivots(space: Float[Tensor, "d m"]) -> Int[Tensor, " m"]:
    """Return the m coordinates, ascending, that the pivoted Cholesky factor of B Bᵀ begins with.

    What is left of some coordinate is at least 1/d at every step, so none is taken out of rounding.
    """
    d, m = space.shape
    left, factor = space.square().sum(1), space.new_zeros(m, d)
    pivots = []
    for k in range(m):
        pivot = int(first_largest(left.sqrt()[:, None]))
        row = space @ space[pivot] - factor[:k, pivot] @ factor[:k]
        factor[k] = row / row[pivot].sqrt()
        left = (left - factor[k].square()).clamp_min(0)
        pivots.append(pivot)
    return torch.tensor(sorted(pivots), device=space.device)


def first_largest(sizes: Float[Tensor, "d r"]) -> Int[Tensor, " r"]:
    """Return where each column is largest, and of entries equal but for rounding the first.

    Sizes count the less the later they stand, down to 1 − FIRST, so no limit says what is equal.

    >>> first_largest(torch.tensor([[0.5], [1.0], [1.0 + 1e-6]]))
    tensor([1])
    """
    weights = 1 - FIRST * torch.arange(len(sizes)).to(sizes) / len(sizes)
    return (sizes * weights[:, None]).argmax(0)
