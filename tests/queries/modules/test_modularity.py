from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from queries.modules.modularity import leiden, louvain, modularity, number_by_size
from queries.modules.moves import settled
from queries.modules.weighted import Neighbours, WeightedGraph

METHODS = [leiden, louvain]


def random_edges(seed: int, blocks: int = 4, size: int = 12) -> tuple[WeightedGraph, np.ndarray]:
    """Return a graph of blocks, more and heavier edges inside them, and the blocks."""
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(blocks), size)
    source, target = np.triu_indices(len(block), 1)
    inside = block[source] == block[target]
    kept = rng.random(len(source)) < np.where(inside, 0.9, 0.1)
    weight = rng.lognormal(0, 0.5, kept.sum()) * np.where(inside[kept], 3, 1)
    return WeightedGraph(len(block), source[kept], target[kept], weight), block


def as_networkx(edges: WeightedGraph) -> nx.Graph:
    graph = nx.Graph()
    graph.add_nodes_from(range(edges.nodes))
    graph.add_weighted_edges_from(
        zip(edges.source.tolist(), edges.target.tolist(), edges.weight.tolist(), strict=True)
    )
    return graph


@pytest.mark.parametrize("resolution", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("seed", range(3))
def test_modularity_is_that_of_networkx(seed: int, resolution: float) -> None:
    edges, _ = random_edges(seed)
    community = np.random.default_rng(seed).integers(5, size=edges.nodes)
    sets = [set(np.flatnonzero(community == c).tolist()) for c in np.unique(community)]
    expected = nx.community.modularity(as_networkx(edges), sets, resolution=resolution)
    assert modularity(edges, community, resolution) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_blocks_are_found(method) -> None:
    edges, block = random_edges(0)
    found = number_by_size(method(edges, resolution=1.0, seed=0))
    assert len({*zip(block.tolist(), found.tolist(), strict=True)}) == len(set(found)) == 4


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("resolution", [0.3, 1.0, 3.0])
def test_modules_are_about_as_good_as_those_of_networkx(method, resolution: float) -> None:
    for seed in range(3):
        edges, _ = random_edges(seed, blocks=3, size=20)
        found = modularity(edges, method(edges, resolution=resolution, seed=seed), resolution)
        reference = nx.community.louvain_communities(
            as_networkx(edges), resolution=resolution, seed=seed
        )
        expected = nx.community.modularity(as_networkx(edges), reference, resolution=resolution)
        assert found > expected - 0.02


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_gives_one_answer_and_the_scale_of_the_weights_does_not_matter(method) -> None:
    edges, _ = random_edges(1)
    first = method(edges, resolution=1.2, seed=5)
    scaled = WeightedGraph(edges.nodes, edges.source, edges.target, edges.weight * 2.0**-40)
    assert (method(edges, resolution=1.2, seed=5) == first).all()
    assert (method(scaled, resolution=1.2, seed=5) == first).all()


@pytest.mark.parametrize("method", METHODS)
def test_where_there_are_no_blocks_the_seed_decides_and_the_scale_still_does_not(method) -> None:
    rng = np.random.default_rng(0)
    source, target = np.triu_indices(60, 1)
    kept = rng.random(len(source)) < 0.15
    edges = WeightedGraph(60, source[kept], target[kept], rng.lognormal(0, 0.5, kept.sum()))
    scaled = WeightedGraph(60, edges.source, edges.target, edges.weight * 2.0**-40)
    found = [method(edges, resolution=1.0, seed=seed).tolist() for seed in range(4)]
    assert [method(scaled, resolution=1.0, seed=seed).tolist() for seed in range(4)] == found
    assert len({tuple(number_by_size(np.array(each)).tolist()) for each in found}) > 1


@pytest.mark.parametrize("method", METHODS)
def test_a_larger_resolution_gives_more_modules(method) -> None:
    edges, _ = random_edges(2)
    counts = [len(set(method(edges, resolution=r, seed=0).tolist())) for r in (0.05, 1.0, 20.0)]
    assert counts[0] < counts[1] < counts[2]


@pytest.mark.parametrize("method", METHODS)
def test_a_node_without_edges_is_alone(method) -> None:
    edges = WeightedGraph(5, np.array([1]), np.array([3]), np.array([2.0]))
    community = method(edges, resolution=1.0, seed=0)
    assert community[1] == community[3]
    assert len(set(community.tolist())) == 4


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("nodes", [0, 3])
def test_a_graph_without_edges_has_lone_nodes_and_no_modularity(method, nodes: int) -> None:
    none = np.zeros(0, dtype=np.int64)
    edges = WeightedGraph(nodes, none, none, np.zeros(0))
    community = method(edges, resolution=1.0, seed=0)
    assert len(set(community.tolist())) == nodes
    assert modularity(edges, community) == 0


def test_communities_are_numbered_by_size() -> None:
    community = number_by_size(np.array([9, 4, 4, 7, 9, 9, 2]))
    assert community.tolist() == [0, 1, 1, 2, 0, 0, 3]


def without_blocks(seed: int) -> WeightedGraph:
    """Return a graph in which the best communities are hard to tell from others."""
    rng = np.random.default_rng(seed)
    source, target = np.triu_indices(24, 1)
    kept = rng.random(len(source)) < 0.3
    return WeightedGraph(24, source[kept], target[kept], rng.lognormal(0, 1, kept.sum()))


def of_networkx(graph: nx.Graph, community: list[int], resolution: float) -> float:
    sets = [{i for i, c in enumerate(community) if c == one} for one in set(community)]
    return nx.community.modularity(graph, sets, resolution=resolution)


def best_by_one_move(graph: nx.Graph, community: list[int], resolution: float) -> float:
    """Return the largest Q where at most one node is in another community, or in none."""
    moved = [
        [*community[:node], to, *community[node + 1 :]]
        for node in range(len(community))
        for to in {*community, -1}
    ]
    return max(of_networkx(graph, each, resolution) for each in moved)


@pytest.mark.parametrize("resolution", [0.4, 1.0, 4.0])
@pytest.mark.parametrize("seed", range(2))
def test_no_node_that_moves_alone_raises_modularity(seed: int, resolution: float) -> None:
    edges = without_blocks(seed)
    graph = as_networkx(edges)
    start = np.random.default_rng(seed).integers(6, size=edges.nodes)
    found = settled(Neighbours.of(edges), start, resolution).tolist()
    q = of_networkx(graph, found, resolution)
    assert q > of_networkx(graph, start.tolist(), resolution) + 0.05
    assert best_by_one_move(graph, found, resolution) == pytest.approx(q, abs=1e-12)


def test_large_graphs_get_fewer_rounds_and_modules_as_good(monkeypatch: pytest.MonkeyPatch) -> None:
    edges, _ = random_edges(3, blocks=6, size=30)
    ten = leiden(edges, resolution=1.0, seed=0)
    monkeypatch.setattr("queries.modules.modularity.ROUND_EDGES", 0)
    two = leiden(edges, resolution=1.0, seed=0)
    assert modularity(edges, two) == pytest.approx(modularity(edges, ten), abs=1e-3)
    found = settled(Neighbours.of(edges), two, 1.0)
    assert (number_by_size(found) == number_by_size(two)).all()
