"""Measures of sparsity against their definitions, a number at a time."""

import math

import numpy as np
import pytest

from lib_graph.support.sparsity import count_carrying, effective, gini, hoyer

ROWS = np.random.default_rng(0).lognormal(0, 2, (7, 30)) * (np.arange(30) % 3 > 0)


@pytest.mark.parametrize("row", ROWS)
def test_measures_are_those_of_the_definitions(row):
    total, n = sum(row), len(row)
    falling = sorted(row, reverse=True)
    for part in (0.5, 0.9, 0.99):
        count = next(k for k in range(1, n + 1) if sum(falling[:k]) >= part * total - 1e-9)
        assert count_carrying(row, part) == count
    differences = sum(abs(a - b) for a in row for b in row)
    assert gini(row) == pytest.approx(differences / (2 * n * total))
    norm = math.sqrt(sum(x * x for x in row))
    assert hoyer(row) == pytest.approx((math.sqrt(n) - total / norm) / (math.sqrt(n) - 1))
    entropy = -sum(x / total * math.log(x / total) for x in row if x > 0)
    assert effective(row) == pytest.approx(math.exp(entropy))


@pytest.mark.parametrize(
    "measure", [gini, hoyer, effective, lambda rows: count_carrying(rows, 0.9)]
)
def test_many_rows_are_each_by_itself_whatever_their_scale(measure):
    together = measure(np.stack([ROWS, 1e-9 * ROWS]))
    assert together.shape == (2, 7)
    for k, row in enumerate(ROWS):
        assert together[:, k] == pytest.approx([float(measure(row))] * 2)
    assert np.isnan(measure(np.zeros((2, 30)))).all()
