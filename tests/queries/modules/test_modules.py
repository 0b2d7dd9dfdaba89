"""How good modules are, the graph of modules, and graphs without modules."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest

import ingest
import queries
from ingest.store import GraphStore
from lib_graph.errors import UsageError
from queries.cli.modules import parse_resolutions
from queries.modules.modularity import leiden, modularity
from queries.modules.null_model import shuffled
from queries.modules.partitions import adjusted_rand_index, purity
from queries.modules.table import agreement_with_labels
from queries.modules.weighted import WeightedGraph
from tests.loaded import load_once
from tests.queries.conftest import Answer
from tests.queries.modules.test_communities import weighted_graph
from tests.synthetic import random_run

Cli = Callable[..., Answer]
LEAST = {0: 0.5, 1: 0.01}  # of the sections of a run whose last layer is raw


def blocks(
    rng: np.random.Generator, density: float, blocks: int
) -> tuple[WeightedGraph, np.ndarray]:
    """Two sections between layers of 24 nodes; weights within a block are large."""
    source, target, weight, section = [], [], [], []
    for layer, (i, j) in itertools.product(range(2), np.ndindex(24, 24)):
        if rng.random() < density:
            source.append(24 * layer + i)
            target.append(24 * layer + 24 + j)
            same = i % blocks == j % blocks
            weight.append(rng.lognormal(2.0 if same else -1.0, 0.5))
            section.append(layer)
    edges = WeightedGraph(72, np.array(source), np.array(target), np.array(weight))
    return edges, np.array(section)


def q(edges: WeightedGraph) -> float:
    return modularity(edges, leiden(edges, resolution=1.0, seed=0))


@pytest.mark.parametrize(("density", "error"), [(1.0, 0.15), (0.5, 0.25), (0.1, 1.0)])
def test_a_shuffled_graph_keeps_degrees_weights_and_nearly_the_sums(
    density: float, error: float
) -> None:
    edges, section = blocks(np.random.default_rng(0), density, 4)
    found = shuffled(edges, section, np.random.default_rng(1))
    assert len(set(zip(found.source, found.target, strict=True))) == len(edges.source)
    assert density == 1.0 or not np.array_equal(found.target, edges.target)
    for each in (0, 1):
        rows = section == each
        np.testing.assert_array_equal(np.sort(found.weight[rows]), np.sort(edges.weight[rows]))
        for name in ("source", "target"):
            before, after = getattr(edges, name)[rows], getattr(found, name)[rows]
            np.testing.assert_array_equal(np.bincount(before), np.bincount(after))
            sums = [
                np.bincount(before, edges.weight[rows]), np.bincount(after, found.weight[rows])
            ]  # fmt: skip
            assert np.abs(sums[0] - sums[1]).sum() < error * sums[0].sum()


def test_a_graph_with_modules_has_more_q_than_chance_and_one_without_has_not() -> None:
    rng = np.random.default_rng(2)
    (with_modules, section), (without, other) = blocks(rng, 0.8, 4), blocks(rng, 0.8, 1)
    chance = [q(shuffled(with_modules, section, np.random.default_rng(n))) for n in range(5)]
    assert q(with_modules) > np.mean(chance) + 0.2
    chance = [q(shuffled(without, other, np.random.default_rng(n))) for n in range(5)]
    assert abs(q(without) - np.mean(chance)) < 0.05


def test_the_same_generator_shuffles_in_the_same_way() -> None:
    edges, section = blocks(np.random.default_rng(0), 0.3, 4)
    one, again, other = (
        shuffled(edges, section, np.random.default_rng(seed)).weight for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("seed", range(4))
def test_the_adjusted_rand_index_and_purity_are_those_of_counting(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 4, 30), rng.integers(0, 3, 30)
    pairs = list(itertools.combinations(range(30), 2))
    same = [(a[i] == a[j], b[i] == b[j]) for i, j in pairs]
    both = sum(x and y for x, y in same)
    first, second = sum(x for x, _ in same), sum(y for _, y in same)
    chance = first * second / len(pairs)
    expected = (both - chance) / ((first + second) / 2 - chance)
    assert adjusted_rand_index(a, b) == pytest.approx(expected, abs=1e-12)
    assert adjusted_rand_index(a, (a + 1) % 4) == 1.0
    assert purity(a, b) == sum(max(np.bincount(b[a == k])) for k in set(a.tolist())) / 30


def test_partitions_without_a_choice_agree() -> None:
    for ends in ([0, 1, 2], [0, 0, 0], [0], []):
        same = np.array(ends, dtype=np.int64)
        assert adjusted_rand_index(same, same) == 1.0


@pytest.mark.parametrize(("labels", "said"), [(["a", "a", ""], False), (["a", "b", ""], True)])
def test_one_label_says_nothing_of_modules(labels: list[str], said: bool) -> None:
    features = pd.DataFrame({"label": labels, "layer_index": 0, "importance": 1.0})
    found = agreement_with_labels(features, np.array([0, 0, 1]), 0.0)
    assert found["labelled"] == 2
    assert (found["purity"], found["label_ari"]) == ((0.5, 0.0) if said else (None, None))


@pytest.mark.slow
def test_the_table_says_of_each_resolution_what_the_parts_say(
    store: GraphStore, tmp_path: Path
) -> None:
    run = random_run(tmp_path, (9, 8, 7, 5), seed=4)
    load_once(store, run)
    graph = queries.open_graph(store)
    found = graph.module_table(resolutions=[0.7, 1.5], seeds=3, null=2, seed=1, min_importance=0.01)
    again = graph.module_table(resolutions=[0.7, 1.5], seeds=3, null=2, seed=1, min_importance=0.01)
    pd.testing.assert_frame_equal(found.frame, again.frame)
    features = graph.features().frame.set_index("id")
    layers = features.groupby("layer")["importance"].max()
    for row in found.frame.to_dict("records"):
        by_seed = [graph.communities(resolution=row["resolution"], seed=n) for n in (1, 2, 3)]
        first = by_seed[0]
        assert row["modularity"] == first.modularity
        assert row["modularity_at_1"] == first.modularity_at_1
        several = [each for each in first.communities if each.size > 1]
        assert row["modules"] == len(several)
        assert row["sizes"] == [each.size for each in several]
        assert row["spans"] == [each.span for each in several]
        of = [each.membership() for each in by_seed]
        agreement = [
            adjusted_rand_index(*(np.array([x[f] for f in of[0]]) for x in pair))
            for pair in itertools.combinations(of, 2)
        ]
        assert row["stability"] == np.median(agreement)
        labelled = [
            f for f in of[0]
            if features.importance[f] >= 0.01 * layers[features.layer[f]]
        ]  # fmt: skip
        assert 0 < row["labelled"] == len(labelled) < len(of[0])
        community = np.array([of[0][f] for f in labelled])
        label = np.unique(features.label[labelled], return_inverse=True)[1]
        assert row["label_ari"] == adjusted_rand_index(community, label)
        assert row["purity"] == purity(community, label)
        assert row["null_sd"] > 0
        assert 0 < row["null_mean"] < 1
        beside = graph.communities(resolution=row["resolution"], seed=1, null=2)
        assert (beside.chance.mean, beside.chance.sd) == (row["null_mean"], row["null_sd"])
        assert beside.modularity == row["modularity"]
    alone = graph.module_table(seeds=1, null=0).frame.iloc[0]
    assert alone[["null_mean", "null_sd", "stability"]].isna().all()


def test_log_weights_are_those_over_the_least_kept(store: GraphStore, tmp_path: Path) -> None:
    run = random_run(tmp_path, seed=2)
    load_once(store, run)
    graph = queries.open_graph(store)
    with pytest.raises(UsageError, match=r"no edge ablations of layer\.0, layer/1"):
        graph.communities(weights="log")
    for layer, least in LEAST.items():
        store.write(
            "MATCH (l:Layer {index: $layer}) SET l.smallest_kept = $least",
            {"layer": layer, "least": least},
        )
    found = graph.communities(weights="log", seed=3)
    expected = weighted_graph(run)
    for source, target, data in list(expected.edges(data=True)):
        layer = 0 if "layer.0" in source else 1
        weight = np.log10(data["weight"] ** 2 / LEAST[layer])
        if weight > 0:
            data["weight"] = weight
        else:
            expected.remove_edge(source, target)
    assert 3 < expected.number_of_edges() < weighted_graph(run).number_of_edges()
    sets = [set(each.members) for each in found.communities]
    assert found.modularity == pytest.approx(nx.community.modularity(expected, sets), abs=1e-12)


@pytest.mark.slow
def test_the_graph_of_modules_sums_what_is_between_them(store: GraphStore, tmp_path: Path) -> None:
    run = random_run(tmp_path, (9, 8, 7, 5), seed=4)
    load_once(store, run)
    graph = queries.open_graph(store)
    communities = graph.communities(resolution=1.5)
    found = graph.module_flow(communities)
    module = communities.membership()
    expected: dict[tuple[int, int], list[float]] = {}
    for row in run.interactions.itertuples():
        source = module.get(f"{run.id}/{row.source_layer}/{row.source}")
        target = module.get(f"{run.id}/{row.target_layer}/{row.target}")
        if source and target:
            sums = expected.setdefault((source, target), [0, 0.0, 0.0])
            for n, value in enumerate((1, row.strength, row.share)):
                sums[n] += value
    rows = found.flows.set_index(["source", "target"])
    assert set(rows.index) == set(expected)
    for pair, sums in expected.items():
        assert rows.loc[pair].tolist() == pytest.approx(sums)
    assert found.flows["share"].is_monotonic_decreasing
    picture = found.to_networkx()
    assert set(picture.edges) == set(expected)
    assert {n: picture.nodes[n]["size"] for n in picture} == {
        each.index: each.size for each in communities.communities
    }
    graph.save_communities(communities)
    stored = graph.query("module_flow", resolution=1.5).frame
    pd.testing.assert_frame_equal(stored[list(found.flows)], found.flows, check_dtype=False)


@pytest.mark.parametrize(
    ("text", "values"),
    [("1.5", [1.5]), ("1:1:1", [1.0]), ("0.1:0.3:0.1", [0.1, 0.2, 0.3]), ("1:2:0.6", [1.0, 1.6])],
)
def test_a_range_has_its_ends(text: str, values: list[float]) -> None:
    assert parse_resolutions(text) == values


@pytest.mark.parametrize("text", ["", "a", "1:2", "2:1:0.5", "1:2:0", "0:inf:1", "0:1:1e-9"])
def test_what_is_no_range_is_a_clear_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_resolutions(text)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"resolutions": []}, "no resolution"),
        ({"resolutions": [1.0, 0.0]}, "above 0"),
        ({"seeds": 0}, "at least 1"),
        ({"null": -1}, "Take 0 or more"),
        ({"weights": "cube"}, "'sqrt' or 'log'"),
    ],
)
def test_what_cannot_be_measured_is_a_clear_error(
    tmp_path: Path, arguments: dict[str, Any], says: str
) -> None:
    ingest.load(random_run(tmp_path / "run"), tmp_path / "graph.kgl")
    with (
        queries.open_graph(tmp_path / "graph.kgl") as graph,
        pytest.raises(UsageError, match=says),
    ):
        graph.module_table(**arguments)


@pytest.mark.slow
def test_the_verb(tmp_path: Path, cli: Cli) -> None:
    store = tmp_path / "graph.kgl"
    ingest.load(random_run(tmp_path / "run"), store)
    at = ("--store", store)
    with queries.open_graph(store) as graph:
        expected = graph.module_table(resolutions=[0.5, 1.0, 2.0], seeds=2, null=3)
        flow = graph.module_flow(graph.communities(resolution=2.0))
    wanted = ("--resolution", "0.5:1:0.5", "--resolution", 2, "--seeds", 2, "--null", 3)
    shown = json.loads(cli("communities", *wanted, "--json", *at).out)
    assert shown == json.loads(json.dumps(expected.json_value()))
    table = cli("communities", *wanted, *at).out
    assert [line.split()[0] for line in table.splitlines()[1:4]] == ["0.5", "1", "2"]
    assert "3 shuffled graphs" in table
    shown = json.loads(cli("communities", "--resolution", 2, "--graph", "--json", *at).out)
    assert shown == json.loads(json.dumps(flow.json_value()))
    assert "modules" in cli("communities", "--graph", *at).out
    for refused in (("--write",), ("--graph",)):
        answer = cli("communities", *wanted, *refused, *at)
        assert (answer.code, answer.err.count("\n")) == (2, 1)
    one = json.loads(cli("communities", "--seeds", 3, "--json", *at).out)
    assert (one["seeds"], one["null"], len(one["resolutions"])) == (3, 10, 1)
