from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries.circuits.between import Between, Links, between
from queries.circuits.detours import Growth
from tests.queries.growth import Edge, Net


@st.composite
def nets(draw: st.DrawFn) -> Net:
    """Draw networks of 3 to 12 layers with up to some hundred paths; shares often tie.

    Some have interactions that skip layers.
    """
    layers = draw(st.integers(3, 12))
    widest = 4 if layers < 5 else 3 if layers < 6 else 2
    widths = draw(st.lists(st.integers(1, widest), min_size=layers, max_size=layers))
    share = st.one_of(
        st.sampled_from([Fraction(1, 2), Fraction(1, 4), Fraction(1, 8)]),
        st.floats(1e-6, 1).map(Fraction),
    )
    pairs = [
        ((layer, s), (layer + 1, t))
        for layer in range(layers - 1)
        for s in range(widths[layer])
        for t in range(widths[layer + 1])
    ]
    if layers < 7 and draw(st.booleans()):
        far = [
            ((layer, s), (after, t))
            for layer in range(layers)
            for after in range(layer + 2, layers)
            for s in range(widths[layer])
            for t in range(widths[after])
        ]
        pairs += draw(st.lists(st.sampled_from(far), max_size=6, unique=True))
    gaps = draw(st.sets(st.sampled_from(pairs), max_size=len(pairs) // 3))
    ends = [
        frozenset((layer, index) for index in draw(st.sets(st.integers(0, width - 1), min_size=1)))
        for layer, width in ((0, widths[0]), (layers - 1, widths[-1]))
    ]
    return Net({pair: draw(share) for pair in pairs if pair not in gaps}, *ends)


def ground_of(net: Net) -> Between:
    """Return what lies between the ends of a network."""
    rows = np.array([(*s, *t) for s, t in net.shares], dtype=np.int64).reshape(-1, 4)
    shares = np.array([float(share) for share in net.shares.values()])
    ends = (
        (min(layer for layer, _ in end), {index for _, index in end})
        for end in (net.starts, net.ends)
    )
    return between(Links(*rows.T, shares), *ends)


def edges(ground: Between, kept: np.ndarray) -> set[Edge]:
    place = list(zip(ground.layer.tolist(), ground.index.tolist(), strict=True))
    ends = ground.source[kept].tolist(), ground.target[kept].tolist()
    return {(place[source], place[target]) for source, target in zip(*ends, strict=True)}


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(net=nets(), data=st.data())
def test_a_circuit_grows_by_the_best_detour_of_all(net: Net, data: st.DataObject) -> None:
    ground = ground_of(net)
    least = Growth(ground).shortest() or 1
    size = data.draw(st.integers(least, max(least, len(ground)) + 2), "size")
    growth = Growth(ground)
    for before, circuit in pairwise(net.grown(size)):
        found = growth.best(size - len(growth))
        assert found is not None
        growth.add(found)
        assert edges(ground, growth.kept) == circuit
        gain = (net.flow(circuit) - net.flow(before)) / len(circuit - before)
        assert found.gain == pytest.approx(log2(gain), abs=1e-9)
    assert growth.best(size - len(growth)) is None
    shortest = min(map(len, net.detours(edges(ground, growth.kept))), default=None)
    assert growth.shortest() == shortest
    assert (shortest is None) == (len(growth) == len(ground))


def test_nothing_better_is_left_out_of_a_wider_network() -> None:
    layers, width = 7, 20
    rng = np.random.default_rng(0)
    strengths = rng.lognormal(0, 2, (layers - 1, width, width))  # section, source, target
    shares = strengths / strengths.sum(axis=1, keepdims=True)
    everything = np.indices((width, width)).reshape(2, -1)
    layer = np.repeat(np.arange(layers - 1), width**2)
    source, target = np.tile(everything, layers - 1)
    every = Links(layer, source, layer + 1, target, shares.ravel())
    ground = between(every, (0, range(width)), (layers - 1, range(0, width, 3)))
    growth = Growth(ground)
    for _ in range(80):
        most = 1 + int(rng.integers(layers)) if len(growth) else layers - 1
        circuit = np.zeros(shares.shape, bool)
        for (layer, source), (_, target) in edges(ground, growth.kept):
            circuit[layer, source, target] = True
        found = growth.best(most)
        assert found is not None
        assert found.gain == pytest.approx(log2(best_gain(shares, circuit, most)), abs=1e-9)
        assert len(found.interactions) <= most
        growth.add(found)
    assert len(growth) > 80


def best_gain(shares: np.ndarray, circuit: np.ndarray, most: int) -> float:
    """Return the largest gain by dense products over all starts, layer by layer."""
    width, kept = shares.shape[1], shares * circuit
    ends = (np.arange(width) % 3 == 0).astype(float)
    start, end = [np.ones(width)], [ends]
    for section in kept:
        start.append(start[-1] @ section)
    for section in kept[::-1]:
        end.insert(0, section @ end[0])
    inside = np.zeros((len(shares) + 1, width), bool)
    inside[:-1] |= circuit.any(axis=2)
    inside[1:] |= circuit.any(axis=1)
    best = 0.0
    for first in range(len(shares)):
        way = np.diag(start[first])
        for last in range(first, min(len(shares), first + most)):
            free = shares[last] * ~circuit[last]
            way = (way[:, :, None] * free[None]).max(axis=1)
            best = max(best, float((way * end[last + 1]).max()) / (last + 1 - first))
            way = way * ~inside[last + 1]
    return best


@pytest.mark.slow
def test_gains_too_small_for_a_number_can_be_compared() -> None:
    layers = 600
    large, small, least = (Fraction(1, 2**n) for n in (2, 3, 4))
    shares = {
        ((layer, s), (layer + 1, t)): (large, small, least)[s + t]
        for layer in range(layers - 1)
        for s in (0, 1)
        for t in (0, 1)
    }
    net = Net(shares, frozenset({(0, 0), (0, 1)}), frozenset({(layers - 1, 0)}))
    ground = ground_of(net)
    growth = Growth(ground)
    stages: list[set[Edge]] = [set()]
    for _ in range(3):
        found = growth.best(layers - 1)
        assert found is not None
        growth.add(found)
        stages.append(edges(ground, growth.kept))
    assert [after - before for before, after in pairwise(stages)] == [
        {((layer, 0), (layer + 1, 0)) for layer in range(layers - 1)},
        {((0, 1), (1, 0))},
        {((1, 0), (2, 1)), ((2, 1), (3, 0))},  # as good as one further on, better than before
    ]
