"""Which of many paths, equally strong ones too, are found and in which order: on any graph."""

from __future__ import annotations

import itertools
import math
import uuid
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.potentials import Hops, potentials
from ingest.schema import FEATURE, INTERACTS, RUN
from ingest.store import GraphStore
from queries.asking.ends import End
from queries.asking.places import Place, StoredLayer
from queries.asking.reader import Reader
from queries.circuits.paths import find_paths

SHARES = (None, None, 0.1, 0.3, 0.7, 1 / 3, 0.5, 0.25, 1.0)  # 0.1 · 0.3 is not quite 0.3 · 0.1
FIRST = 8  # the first index of a layer: '10' comes before '9'
Step = tuple[int, int]


@dataclass(frozen=True)
class Drawn:
    """A layered graph: how wide its layers are, and the share of each pair that interacts."""

    widths: tuple[int, ...]
    shares: tuple[dict[Step, float], ...]
    run: str

    def name(self, layer: int, index: int) -> str:
        return f"{self.run}/{layer}/{index + FIRST}"

    def ways(self, first: list[int], last: list[int], layers: range) -> list[list[int]]:
        """Every path from some features to others, by brute force."""
        middle = [range(self.widths[layer]) for layer in layers[1:-1]]
        sections = [self.shares[layer] for layer in layers[:-1]]
        return [
            list(way)
            for way in itertools.product(first, *middle, last)
            if all(step in s for s, step in zip(sections, itertools.pairwise(way), strict=True))
        ]

    def strength(self, way: list[int], layers: range) -> float:
        steps = zip(layers, itertools.pairwise(way), strict=False)
        return math.prod(self.shares[layer][step] for layer, step in steps)


@st.composite
def graphs(draw: st.DrawFn) -> Drawn:
    """Layers of 1 to 4 features, down to a single one, and gaps down to no interaction at all."""
    widths = draw(st.lists(st.integers(1, 4), min_size=2, max_size=5))
    sections = []
    for here, there in itertools.pairwise(widths):
        pairs = list(itertools.product(range(here), range(there)))
        shares = [draw(st.sampled_from(SHARES)) for _ in pairs]
        sections.append({p: x for p, x in zip(pairs, shares, strict=True) if x is not None})
    return Drawn(tuple(widths), tuple(sections), uuid.uuid4().hex[:12])


def write(store: GraphStore, graph: Drawn) -> None:
    rows = [
        np.array([[s, t, 0.0 - math.log(x)] for (s, t), x in section.items()]).reshape(-1, 3)
        for section in graph.shares
    ]
    hops = [
        Hops(np.full(len(r), n), r[:, 0].astype(int), np.full(len(r), n + 1), r[:, 1].astype(int),
             r[:, 2])
        for n, r in enumerate(rows)
    ]  # fmt: skip
    ahead, behind = potentials(graph.widths, hops, [[]] * len(graph.widths))
    features = [
        {
            **dict.fromkeys(FEATURE.properties), "id": graph.name(layer, index), "run": graph.run,
            "layer": str(layer), "layer_index": layer, "index": index + FIRST, "role": "feature",
            "label": "", "cost_from_inputs": ahead[layer][index],
            "cost_to_outputs": behind[layer][index],
        }
        for layer, width in enumerate(graph.widths) for index in range(width)
    ]  # fmt: skip
    steps = [
        {
            **dict.fromkeys(INTERACTS.properties), "source": graph.name(layer, s),
            "target": graph.name(layer + 1, t), "strength": share, "share": share,
            "cost": 0.0 - math.log(share),
        }
        for layer, section in enumerate(graph.shares) for (s, t), share in section.items()
    ]  # fmt: skip
    run = {**dict.fromkeys(RUN.properties), "id": graph.run, "name": "drawn", "status": "complete"}
    with store.writing():
        store.transact(lambda tx: tx.add_nodes(RUN, pd.DataFrame([run])))
        store.transact(lambda tx: tx.add_nodes(FEATURE, pd.DataFrame(features)))
        if steps:
            store.transact(lambda tx: tx.add_relationships(INTERACTS, pd.DataFrame(steps)))


def end(graph: Drawn, layer: int, index: int | None) -> End:
    width = graph.widths[layer]
    place = Place(
        StoredLayer(layer, str(layer), width, width), None if index is None else index + FIRST
    )
    indices = range(FIRST, FIRST + width) if index is None else [index + FIRST]
    return End(place, None, frozenset(indices))


def check(
    store: GraphStore, graph: Drawn, ends: tuple[Step, ...], fixed: list[int | None], k: int
) -> None:
    """Compare the k strongest paths between two layers, or features of them, with brute force."""
    first, second = ends
    last = len(graph.widths) - 1
    layers = range(first, second + 1)
    places = [end(graph, layer, i) for layer, i in zip(ends, fixed, strict=True)]
    found = find_paths(Reader(store, graph.run), *places, k=k, layers=last + 1)
    backwards = first == 0 and fixed[0] is None and not (second == last and fixed[1] is None)

    def names(way: list[int]) -> tuple[str, ...]:
        return tuple(graph.name(layer, i) for layer, i in zip(layers, way, strict=True))

    def rank(way: list[int]) -> tuple[float, tuple[str, ...]]:
        ids = names(way)
        cost = round(0.0 - math.log(graph.strength(way, layers)), 10)
        return cost, ids[::-1] if backwards else ids

    starts, stops = (
        list(range(graph.widths[layer])) if i is None else [i]
        for layer, i in zip(ends, fixed, strict=True)
    )
    expected = sorted(graph.ways(starts, stops, layers), key=rank)[:k]
    assert [path.path for path in found.paths] == [names(way) for way in expected]
    for path, way in zip(found.paths, expected, strict=True):
        assert path.strength == pytest.approx(graph.strength(way, layers), rel=1e-12)
        assert math.exp(-path.cost) == pytest.approx(path.strength, rel=1e-12)
        steps = zip(layers, itertools.pairwise(way), strict=False)
        assert list(path.shares) == [graph.shares[layer][step] for layer, step in steps]


@pytest.mark.slow
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_the_paths_and_their_order_are_those_of_brute_force(
    store: GraphStore, data: st.DataObject
) -> None:
    graph = data.draw(graphs())
    write(store, graph)
    last = len(graph.widths) - 1
    for ends in itertools.combinations(sorted({0, 1, last - 1, last} & {*range(9)}), 2):
        choice = [st.none() | st.integers(0, graph.widths[layer] - 1) for layer in ends]
        k = data.draw(st.sampled_from([1, 2, 3, 7, 1000]))
        check(store, graph, ends, [data.draw(one) for one in choice], k)


@pytest.mark.parametrize("k", [1, 3, 6])
@pytest.mark.parametrize("fixed", [[None, None], [0, None], [None, 0], [0, 0]])
def test_what_only_rounding_tells_apart_is_equal(
    store: GraphStore, fixed: list[int | None], k: int
) -> None:
    """Six paths have the shares 0.1, 0.6 and 1/3, in every order."""
    orders = list(itertools.permutations((0.1, 0.6, 1 / 3)))
    assert len({-math.log(a) - math.log(b) - math.log(c) for a, b, c in orders}) > 1
    sections = (
        {(0, i): order[0] for i, order in enumerate(orders)},
        {(i, i): order[1] for i, order in enumerate(orders)},
        {(i, 0): order[2] for i, order in enumerate(orders)},
    )
    graph = Drawn((1, 6, 6, 1), sections, uuid.uuid4().hex[:12])
    write(store, graph)
    check(store, graph, (0, 3), fixed, k)
