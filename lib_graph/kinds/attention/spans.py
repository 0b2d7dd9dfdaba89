"""Which heads are taken together, so that temporaries neither grow with them nor are tiny."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from lib_graph.support.devices import temporary

__all__ = ["spans"]

ELEMENTS = 1 << 18  # of a temporary


def spans(first: int, last: int, each: int, like: Tensor) -> Iterator[slice]:
    """Yield the range in spans for which temporaries of `each` elements fit, at least one by one.

    They are beside a tensor.

    >>> import torch
    >>> list(spans(1, 6, ELEMENTS // 2, torch.ones(1)))
    [slice(1, 3, None), slice(3, 5, None), slice(5, 6, None)]
    """
    size = max(1, temporary(like, ELEMENTS) // each)
    for i in range(first, last, size):
        yield slice(i, min(i + size, last))
