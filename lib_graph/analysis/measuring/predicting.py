"""How well the words around a position predict a feature there (docs/method.md §18)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lib_graph.errors import UsageError
from lib_graph.support.sparsity import Floats, effective

__all__ = ["LEAST_ROWS", "Predicted", "TokenPredictor", "weighted_auc"]

LEAST_ROWS = 8
BACK = 2  # tokens before the one at the position
TOP = 0.05  # share of the positions at which a feature counts as active
HELD_OUT = 0.25  # share of the rows
RIDGE = 1.0
KNOWN = 1024  # tokens that are told apart, the most frequent ones


@dataclass(frozen=True)
class Predicted:
    """Of each draw of rows, a row, and each feature, a column.

    auc: the chance that of two positions of rows that were not learnt from, an active one and
        another, the linear predictor ranks the active one higher: ½ if it knows nothing.
    tokens: the effective number of tokens at the active positions of all rows.

    Both are NaN of a draw in which nothing, or everything, is active.
    """

    auc: Floats
    tokens: Floats


@dataclass(frozen=True)
class TokenPredictor:
    """Rows of tokens, made ready to predict features from.

    `seen` are, at each position but the first two, the numbers of the token there and of the two
    before, each with columns of its own; `learn` is the number of rows that are learnt from, the
    first three in four, and `factor` the Cholesky factor of their Gram matrix, with a small ridge.
    """

    tokens: Int[Tensor, "n s"]
    seen: Int[Tensor, "n t b"]
    learn: int
    factor: Float[Tensor, "w w"]

    @classmethod
    def of(cls, tokens: Int[Tensor, "n s"]) -> TokenPredictor:
        """Return rows made ready. Raises UsageError for fewer than 8 rows or 3 positions."""
        n, s = tokens.shape
        if n < LEAST_ROWS or s <= BACK:
            raise UsageError(
                f"{n} rows of {s} tokens are too few to learn from some and judge by others. Take "
                f"at least {LEAST_ROWS} rows of {BACK + 1}."
            )
        seen = _around(tokens)
        learn = n - round(n * HELD_OUT)
        design = _centred(seen[:learn], int(seen.max()) + 1)
        gram = design.T @ design + RIDGE * torch.eye(design.shape[1], dtype=torch.float64)
        return cls(tokens, seen, learn, torch.linalg.cholesky(gram))

    def predicted(self, features: Float[Tensor, "n s r"], weights: Floats) -> Predicted:
        """Return how well each feature is predicted, for draws of rows (`resampling.drawn`).

        A feature is *active* where it is above its 95 % quantile, on the side to which it is
        skewed, on the rows that are learnt from. A linear predictor of that, a weight for each
        token at each of three places, is learnt by least squares once; draws only judge it.
        """
        active = self._active(features[:, BACK:].double())
        learnt = active[: self.learn].flatten(0, 1).double()
        design = _centred(self.seen[: self.learn], len(self.factor))
        slopes = torch.cholesky_solve(design.T @ (learnt - learnt.mean(0)), self.factor)
        held = self.seen[self.learn :].flatten(0, 1)
        scores: Floats = slopes[held].sum(1).numpy()
        counts = np.repeat(weights[:, self.learn :], self.seen.shape[1], axis=1)
        judged = active[self.learn :].flatten(0, 1).numpy()
        auc = [weighted_auc(scores[:, j], judged[:, j], counts) for j in range(scores.shape[1])]
        numbers = [self._numbers(active[..., j], weights) for j in range(scores.shape[1])]
        return Predicted(np.stack(auc, 1), np.stack(numbers, 1))

    def _active(self, values: Float[Tensor, "n t r"]) -> Tensor:
        known = values[: self.learn].flatten(0, 1)
        side = torch.where((known - known.mean(0)).pow(3).mean(0) < 0, -1.0, 1.0)
        level: Tensor = (known * side).quantile(1 - TOP, dim=0)
        return values * side > level

    def _numbers(self, active: Tensor, weights: Floats) -> Floats:
        """Return the effective number of tokens where a feature is active, for each draw."""
        if not active.any():
            return np.full(len(weights), np.nan)
        row, place = (x.numpy() for x in active.nonzero(as_tuple=True))
        _, number = np.unique(self.tokens.numpy()[row, place + BACK], return_inverse=True)
        table = np.zeros((len(self.tokens), number.max() + 1))
        np.add.at(table, (row, number), 1.0)
        return effective(weights @ table)


def _around(tokens: Int[Tensor, "n s"]) -> Int[Tensor, "n t b"]:
    """Return the columns that stand for the token at each place, and for those before it."""
    known, counts = tokens.unique(return_counts=True)
    frequent = known[counts.argsort(descending=True, stable=True)[: KNOWN - 1]].sort().values
    place = torch.searchsorted(frequent, tokens).clamp_max(len(frequent) - 1)
    number = torch.where(frequent[place] == tokens, place + 1, 0)  # 0: any other token
    length, width = tokens.shape[1] - BACK, len(frequent) + 1
    shifted = [number[:, BACK - b : BACK - b + length] + b * width for b in range(BACK + 1)]
    return torch.stack(shifted, -1)


def _centred(seen: Int[Tensor, "n t b"], width: int) -> Float[Tensor, "nt w"]:
    """Return a 1 in each column that is seen at a position, less the mean of the column."""
    rows = seen.flatten(0, 1)
    design = torch.zeros(len(rows), width, dtype=torch.float64).scatter_(1, rows, 1.0)
    return design - design.mean(0)


def weighted_auc(score: Floats, active: Any, weights: Floats) -> Floats:
    """Return the area under the curve for each row of weights; ties count half.

    NaN where nothing or everything that counts is active.

    >>> weighted_auc(np.array([1.0, 2.0, 3.0]), np.array([False, True, True]), np.ones((1, 3)))
    array([1.])
    """
    order = np.argsort(score, kind="stable")
    first = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    positive = np.add.reduceat(weights[:, order] * active[order], first, axis=1)
    negative = np.add.reduceat(weights[:, order] * ~active[order], first, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = (positive * below).sum(1) / (positive.sum(1) * negative.sum(1))
    return found
