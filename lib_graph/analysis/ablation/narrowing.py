"""Sections of few input features, read along few output directions, at a cost to match."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from lib_graph.method.ends import Ends
from lib_graph.method.network import Constants, Section

__all__ = ["narrowed"]


def narrowed(section: Section, ends: Ends) -> Callable[[Tensor, Constants], Tensor]:
    """Return (c, the batch's constants) ↦ F(c D + o) R, as the section's kind computes it.

    A kind that does not say how runs as it is, from f = c D + o on.
    """
    narrow = section.kind.narrowed(ends)
    if narrow is not None:
        return lambda c, _: narrow(c)
    return lambda c, constants: ends.read(section(ends.activations(c), constants))
