from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import ingest
import queries
from ingest.store import GraphStore
from lib_graph.errors import UsageError
from lib_graph.run import Run
from tests.queries.circuits.test_paths import text
from tests.queries.oracle import Oracle, Place
from tests.synthetic import random_run

Pair = tuple[str, str]


def growth(run: Run, source: Place, target: Place) -> Iterator[set[Pair]]:
    """Grow a circuit by the definition, all flows and paths anew each time; yield each stage."""
    oracle = Oracle(run)
    ends = {oracle.name(target[0], index) for index in oracle.ends(target, 1e-6)}
    starts = {oracle.name(source[0], index) for index in oracle.ends(source, 1e-6)}
    names = {layer.name: layer.index for layer in run.layers}
    shares: dict[Pair, float] = {}
    for (layer, index), rows in oracle.inputs.items():
        for s, share in rows:
            pair = (oracle.name(names[layer] - 1, s), oracle.name(names[layer], index))
            from_start = names[layer] - 1 > source[0] or pair[0] in starts
            if source[0] < names[layer] <= target[0] and from_start:
                shares[pair] = share
    chosen: set[Pair] = set()
    while True:

        @cache
        def flow(feature: str) -> float:
            if feature in ends:
                return 1.0
            return sum(shares[pair] * flow(pair[1]) for pair in chosen if pair[0] == feature)

        @cache
        def leads_back(feature: str) -> bool:
            return feature in starts or any(leads_back(s) for s, t in chosen if t == feature)

        yield {pair for pair in chosen if leads_back(pair[0])}
        through = {
            pair: share * flow(pair[1])
            for pair, share in shares.items()
            if pair not in chosen and flow(pair[1]) > 0
        }
        if not through:
            return
        chosen.add(max(through, key=lambda pair: through[pair]))


ENDS: list[tuple[Place, Place]] = [((0, None), (3, 1)), ((0, 2), (3, None)), ((1, None), (2, 1))]


@pytest.mark.slow
def test_a_circuit_grows_by_what_flows(store: GraphStore, tmp_path: Path) -> None:
    for number, (source, target) in enumerate(ENDS):
        run = random_run(tmp_path / str(number), (6, 6, 6, 4), density=0.9, seed=number)
        ingest.load(run, store)
        graph = queries.open_graph(store, run.id)
        ends = {"source": text(run, source), "target": text(run, target)}
        stages = list(growth(run, source, target))
        for size in (target[0] - source[0], 7, 14, 1000):
            found = graph.grow_circuit(**ends, size=size)
            assert set(found.pairs()) == [stage for stage in stages if len(stage) <= size][-1]
        assert len(found) > 2
        everything = graph.circuit(**ends, min_share=0.0)
        assert set(found.pairs()) == set(everything.pairs())


def test_what_cannot_grow_is_a_clear_error(tmp_path: Path) -> None:
    ingest.load(random_run(tmp_path / "run"), tmp_path / "graph.kgl")
    with queries.open_graph(tmp_path / "graph.kgl") as graph:
        with pytest.raises(UsageError, match=r"is 0\. Ask for at least 1: .* from 'layer\.2' to"):
            graph.grow_circuit(source="layer.2", target="layer/3/1", size=0)
        with pytest.raises(UsageError, match=r"The size is 2\. Ask for at least 3: "):
            graph.grow_circuit(target="layer/3/1", size=2)
        with pytest.raises(UsageError, match="must come before"):
            graph.grow_circuit(source="layer/3", target="layer/1")
