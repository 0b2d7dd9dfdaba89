"""Which heads are taken together, so that temporaries neither grow with them nor are tiny."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["spans"]

ELEMENTS = 1 << 18  # of a temporary


def spans(first: int, last: int, each: int) -> Iterator[slice]:
    """Yield the range in spans for which temporaries of `each` elements fit, at least one by one.

    >>> list(spans(1, 6, ELEMENTS // 2))
    [slice(1, 3, None), slice(3, 5, None), slice(5, 6, None)]
    """
    size = max(1, ELEMENTS // each)
    for i in range(first, last, size):
        yield slice(i, min(i + size, last))
