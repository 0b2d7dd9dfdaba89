"""A section without a closed form in which positions do not meet (docs/method.md §5.5)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PositionLocal"]


@dataclass(frozen=True)
class PositionLocal:
    """F(f)_t depends on f_t alone: one backward pass gives the derivatives at all positions.

    It says nothing else of the section, so there is nothing to compute with.
    """
