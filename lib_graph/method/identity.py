"""The rotation of a raw layer, which may be as wide as a vocabulary: a matrix never written out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

__all__ = ["Identity"]


class Identity:
    """The unit matrix of a size, for products: x @ Identity(n) is x itself.

    It stands where the rotation of another layer is a tensor, in all that is done with it there.

    >>> x = torch.ones(2, 3)
    >>> (x @ Identity(3)) is x
    True
    """

    def __init__(self, size: int, like: Tensor | None = None) -> None:
        self.shape = (size, size)
        self._like = torch.empty(0, dtype=torch.float64) if like is None else like[:0]

    def __len__(self) -> int:
        return self.shape[0]

    def __rmatmul__(self, x: Tensor) -> Tensor:
        return x

    def __matmul__(self, other: Identity) -> Tensor:
        """Return the matrix, written out: what K = C Cᵀ is."""
        assert len(other) == len(self)
        return self._written()

    def __getitem__(self, key: Any) -> Tensor:
        """Return some of it, written out."""
        return self._written()[key]

    def _written(self) -> Tensor:
        return torch.eye(len(self), dtype=self._like.dtype, device=self._like.device)

    @property
    def T(self) -> Identity:  # noqa: N802  torch's name
        """The transpose: the same."""
        return self

    def split(self, chunk: int) -> Iterator[Tensor]:
        """Yield the rows, some at a time, written out."""
        numbers = torch.arange(len(self), device=self._like.device)
        for some in numbers.split(chunk):
            yield (some[:, None] == numbers).to(self._like.dtype)

    def double(self) -> Identity:
        """Return the same in float64."""
        return Identity(len(self), self._like.double())

    def to(self, device: torch.device, dtype: torch.dtype) -> Identity:
        """Return the same on a device, in a precision."""
        return Identity(len(self), self._like.to(device, dtype))
