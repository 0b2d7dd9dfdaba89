"""Attention sections: the declaration, and its closed forms in parts (docs/method.md §5.4)."""

from lib_graph.kinds.attention.positions import Fixed, Positions, Rotary
from lib_graph.kinds.attention.section import Attention

__all__ = ["Attention", "Fixed", "Positions", "Rotary"]
