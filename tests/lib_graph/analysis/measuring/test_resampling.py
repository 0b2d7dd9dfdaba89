"""Sparsity of draws of samples, against the same of data in which samples are repeated."""

import math

import numpy as np
import pytest

from lib_graph.analysis.measuring.resampling import (
    MEASURES,
    drawn,
    measured_sections,
    probe_error,
    section_measures,
)
from lib_graph.analysis.measuring.strengths import SectionStrengths

RANDOM = np.random.default_rng(0)
N, R, NEXT = 6, 5, 4


def section(layer="x"):
    exact = RANDOM.lognormal(0, 2, (N, R, NEXT))
    probed = exact * RANDOM.lognormal(0, 1, (N, R, NEXT))
    return SectionStrengths(layer, exact, probed, RANDOM.integers(3, 9, N))


def by_definition(E):
    """The measures of one section, a target and a number at a time."""
    total = E.sum()
    falling = sorted(E.ravel(), reverse=True)

    def carrying(numbers, part):
        whole, ordered = sum(numbers), sorted(numbers, reverse=True)
        return next(
            k for k in range(1, len(ordered) + 1) if sum(ordered[:k]) >= part * whole - 1e-9
        )

    def number(values):
        shares = [x / sum(values) for x in values]
        return math.exp(-sum(p * math.log(p) for p in shares if p > 0))

    pairs = [(a, b) for a in falling for b in falling]
    root = math.sqrt(E.size)
    return {
        "for_90": carrying(falling, 0.9),
        "for_99": carrying(falling, 0.99),
        "gini": sum(abs(a - b) for a, b in pairs) / (2 * E.size * total),
        "hoyer": (root - total / math.sqrt((E**2).sum())) / (root - 1),
        "effective": number(falling),
        "sources_90": np.mean([carrying(E[:, i], 0.9) for i in range(E.shape[1])]),
        "sources": np.mean([number(E[:, i]) for i in range(E.shape[1])]),
    }


def test_measures_of_a_section_are_those_of_the_definitions():
    E = RANDOM.lognormal(0, 2, (R, NEXT))
    found = section_measures(E)
    assert list(found) == list(MEASURES)
    for name, expected in by_definition(E).items():
        assert found[name] == pytest.approx(expected), name


def test_the_scale_of_a_target_changes_neither_of_its_sources():
    E, scaled = RANDOM.lognormal(0, 2, (R, NEXT)), np.array([1.0, 1e-6, 40.0, 3.0])
    one, other = section_measures(E), section_measures(E * scaled)
    for name in ("sources", "sources_90"):
        assert one[name] == pytest.approx(other[name])
    assert one["effective"] != pytest.approx(other["effective"])


def test_a_draw_is_that_of_data_in_which_samples_are_repeated():
    own, weights = section(), drawn(N, 3, 1)
    found = measured_sections([own], weights).set_index(["how", "measure", "draw"])["value"]
    for draw, counts in enumerate(weights.astype(int)):
        for how in ("exact", "probed"):
            squares = np.repeat(getattr(own, how), counts, axis=0)
            strengths = squares.sum(0) / np.repeat(own.positions, counts).sum()
            for name, expected in by_definition(strengths).items():
                assert found[how, name, draw] == pytest.approx(expected), (how, name, draw)


def test_draws_are_as_many_samples_as_there_are_and_the_same_each_time():
    weights = drawn(10, 500, 3)
    assert (weights[0] == 1).all()
    assert (weights.sum(1) == 10).all()
    assert weights[1:].mean(0) == pytest.approx(np.ones(10), abs=0.2)
    assert weights[1:].std(0) == pytest.approx(np.sqrt(0.9) * np.ones(10), abs=0.1)
    assert (drawn(10, 500, 3) == weights).all()
    assert (drawn(10, 500, 4) != weights).any()


def test_the_error_of_a_probe_is_the_median_over_the_edges_that_carry_most():
    exact = np.array([[[60.0, 25.0], [10.0, 5.0]]])
    off = np.array([[[1.5, 0.8], [1.1, 100.0]]])  # the last is not among those that carry 90 %
    found = SectionStrengths("x", exact, exact * off, np.array([1]))
    assert probe_error(found) == pytest.approx(0.2)


def test_of_a_section_in_which_nothing_flows_nothing_is_known():
    nothing = SectionStrengths("x", np.zeros((N, R, NEXT)), np.zeros((N, R, NEXT)), np.ones(N, int))
    found = measured_sections([nothing], drawn(N, 2, 0))
    assert len(found) == 2 * 3 * len(MEASURES)
    assert found["value"].isna().all()
    assert math.isnan(probe_error(nothing))


def test_a_target_into_which_nothing_flows_has_no_number_of_sources():
    E = RANDOM.lognormal(0, 2, (R, NEXT))
    E[:, 1] = 0.0
    found, expected = section_measures(E), by_definition(np.delete(E, 1, axis=1))
    for name in ("sources", "sources_90"):
        assert found[name] == pytest.approx(expected[name])
