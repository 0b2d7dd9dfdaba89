"""Paths and circuits of attribution graphs, whose links skip layers, against networkx."""

from __future__ import annotations

import itertools
import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

import queries
from ingest.graph_loading import load_graphs
from ingest.store import GraphStore
from queries.graph import Graph
from tests.prompts import random_graph
from tests.queries.growth import Net
from tests.queries.prompts.answers import names

ENDS = [
    {"target": "logits"}, {"target": "logits/34", "source": "E/1"}, {"target": "3", "source": "0"},
]  # fmt: skip


@pytest.fixture
def loaded(store: GraphStore, tmp_path: Path) -> tuple[Graph, nx.DiGraph]:
    """A graph on each store, and what is in it as networkx has it, from the file alone."""
    path = random_graph(tmp_path / "graph.json", seed=3)
    list(load_graphs(path, store))
    return queries.open_graph(store), networkx_of(json.loads(path.read_text()))


def networkx_of(graph: dict[str, Any]) -> nx.DiGraph:
    """A directed graph of node ids, whose edges have shares and efforts."""
    found: nx.DiGraph = nx.DiGraph()
    layers = {node["node_id"]: node["layer"] for node in graph["nodes"]}
    for name, layer in layers.items():
        found.add_node(name, layer="logits" if layer == "6" else layer)
    total: dict[str, float] = {}
    for link in graph["links"]:
        total[link["target"]] = total.get(link["target"], 0.0) + abs(link["weight"])
    for link in graph["links"]:
        share = abs(link["weight"]) / total[link["target"]]
        found.add_edge(link["source"], link["target"], share=share, effect=link["weight"])
    return found


def ends(graph: Graph, place: str, known: dict[str, str]) -> list[str]:
    layer, _, index = place.partition("/")
    return [
        node for id, node in known.items()
        if id.split("/")[1] == layer and index in ("", id.split("/")[2])
    ]  # fmt: skip


def all_paths(
    found: nx.DiGraph, starts: list[str], stops: list[str]
) -> dict[tuple[str, ...], float]:
    return {
        tuple(path): math.prod(found.edges[hop]["share"] for hop in itertools.pairwise(path))
        for start in starts
        for stop in stops
        if start in found and stop in found
        for path in nx.all_simple_paths(found, start, stop)
    }


@pytest.mark.slow
def test_paths_are_the_strongest_of_all(loaded: tuple[Graph, nx.DiGraph]) -> None:
    graph, found = loaded
    known = names(graph)
    for where in ENDS:
        sources = ends(graph, where.get("source", "E"), known)
        paths = all_paths(found, sources, ends(graph, where["target"], known))
        assert paths
        best = sorted(paths.values(), reverse=True)
        for k in (1, 7, len(best) + 5):
            answer = graph.paths(**where, k=k).paths
            strengths = [path.strength for path in answer]
            assert strengths == pytest.approx(best[:k], rel=1e-12)
            for path in answer:
                ids = tuple(known[each] for each in path.path)
                assert paths[ids] == pytest.approx(path.strength, rel=1e-12)
                assert path.cost == pytest.approx(-math.log(path.strength), rel=1e-9, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("layers", "positions"), [(3, 2), (2, 7)])  # of the latter '10' < '2'
def test_of_equal_paths_the_first_by_id_come_first(
    store: GraphStore, tmp_path: Path, layers: int, positions: int
) -> None:
    path = random_graph(
        tmp_path / "graph.json", layers, positions=positions, ties=True, density=1 / positions,
        seed=1,
    )  # fmt: skip
    list(load_graphs(path, store))
    graph = queries.open_graph(store)
    everything = graph.paths(target="logits", k=10_000).paths
    order = [(round(each.cost, 10), each.path) for each in everything]
    assert len({cost for cost, _ in order}) < len(order)
    assert order == sorted(order)
    for k in (1, 2, 5, len(order) - 1):
        assert graph.paths(target="logits", k=k).paths == everything[:k]


@pytest.mark.slow
def test_circuits_are_all_that_is_on_paths(loaded: tuple[Graph, nx.DiGraph]) -> None:
    graph, found = loaded
    known = names(graph)
    for where in ENDS:
        sources = ends(graph, where.get("source", "E"), known)
        for least in (0.0, 0.1, 0.3):
            kept = nx.DiGraph(
                (a, b, x) for a, b, x in found.edges(data=True) if x["share"] >= least
            )
            paths = all_paths(kept, sources, ends(graph, where["target"], known))
            expected = {hop for path in paths for hop in itertools.pairwise(path)}
            circuit = graph.circuit(**where, min_share=least)
            assert {(known[s], known[t]) for s, t in circuit.pairs()} == expected


@pytest.mark.slow
def test_a_circuit_grows_as_it_is_defined(store: GraphStore, tmp_path: Path) -> None:
    path = random_graph(tmp_path / "graph.json", 3, positions=2, density=0.7, seed=2)
    list(load_graphs(path, store))
    graph = queries.open_graph(store)
    everything = graph.circuit(target="logits", min_share=0.0)
    place = {
        row["id"]: (row["layer_index"], row["index"])
        for row in everything.features.to_dict("records")
    }
    last = len(graph.layers) - 1
    shares = {
        (place[s], place[t]): share
        for s, t, share in everything.interactions[["source", "target", "share"]].itertuples(
            index=False
        )
    }
    net = Net(
        {edge: Fraction(share) for edge, share in shares.items()},
        frozenset(each for each in place.values() if each[0] == 0),
        frozenset(each for each in place.values() if each[0] == last),
    )
    for size in (1, 4, 9):
        *_, expected = net.grown(size)
        circuit = graph.grow_circuit(target="logits", size=size)
        assert {(place[s], place[t]) for s, t in circuit.pairs()} == expected


def test_potentials_count_skipping_links(loaded: tuple[Graph, nx.DiGraph]) -> None:
    graph, found = loaded
    for _, _, data in found.edges(data=True):
        data["cost"] = -math.log(data["share"])
    rows = graph.cypher(
        "MATCH (f:Feature {run: $run}) RETURN f.node AS node, f.cost_from_inputs AS before, "
        "f.cost_to_outputs AS after"
    ).records()
    first = [name for name, data in found.nodes(data=True) if data["layer"] == "E"]
    last = [name for name, data in found.nodes(data=True) if data["layer"] == "logits"]
    before = nx.multi_source_dijkstra_path_length(found, first, weight="cost")
    after = nx.multi_source_dijkstra_path_length(found.reverse(), last, weight="cost")
    for row in rows:
        for side, costs in (("before", before), ("after", after)):
            expected = costs.get(row["node"])
            assert row[side] == (expected if expected is None else pytest.approx(expected))
