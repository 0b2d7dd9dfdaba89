"""Where on the path α ↦ α·f the derivative is taken, and with what weights (docs/method.md §4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lib_graph.errors import NotFoundError, UsageError

__all__ = ["RULES", "Rule"]

RULES = ("gradient", "gauss-legendre", "trapezoid")
_POINTS = {"gradient": 1, "gauss-legendre": 16, "trapezoid": 33}


@dataclass(frozen=True)
class Rule:
    """Nodes α and weights of an integral over α ∈ [0, 1]; the weights sum to 1.

    Rule `gradient` is the derivative at the data point itself: the one node α = 1.

    >>> Rule.named("gradient")
    Rule(name='gradient', nodes=(1.0,), weights=(1.0,))
    >>> Rule.named("trapezoid", 3).weights
    (0.25, 0.5, 0.25)
    """

    name: str
    nodes: tuple[float, ...]
    weights: tuple[float, ...]

    @classmethod
    def named(cls, name: str, points: int | None = None) -> Rule:
        """Return a rule by name, with `points` nodes (default: gauss-legendre 16, trapezoid 33).

        Raises UsageError if the name is unknown or the number of nodes does not fit the rule.
        """
        if name not in RULES:
            raise NotFoundError("rule", name, RULES, f"Choose one of {', '.join(RULES)}.")
        points = _POINTS[name] if points is None else points
        least = 2 if name == "trapezoid" else 1
        if points < least or (name == "gradient" and points != 1):
            raise UsageError(f"Rule {name!r} cannot have {points} points. Leave --points out.")
        if name == "gradient":
            nodes, weights = np.ones(1), np.ones(1)
        elif name == "gauss-legendre":
            nodes, weights = np.polynomial.legendre.leggauss(points)
            nodes, weights = (nodes + 1) / 2, weights / 2
        else:
            nodes = np.linspace(0, 1, points)
            weights = np.full(points, 1 / (points - 1))
            weights[[0, -1]] /= 2
        return cls(name, tuple(nodes.tolist()), tuple(weights.tolist()))
