"""A section in which nothing passes between positions (docs/method.md §5.5)."""

from __future__ import annotations

from dataclasses import dataclass

from lib_graph.method.kind import Kind

__all__ = ["PositionLocal"]


@dataclass(frozen=True)
class PositionLocal(Kind):
    """F(f)_t depends on f_t alone: a norm, an MLP, whatever acts on each position by itself.

    It says no more than that; then one VJP gives the gradients of all positions at once.
    """

    @property
    def local(self) -> bool:
        """True: that is all there is to say."""
        return True
