"""A section in which nothing passes between positions (docs/method.md §5.5)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PositionLocal"]


@dataclass(frozen=True)
class PositionLocal:
    """F(f)_t depends on f_t alone: a norm, an MLP, whatever acts on each position by itself.

    It says no more than that; then one VJP gives the gradients of all positions at once.
    """
