from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

import ingest
import queries
from ingest.store import GraphStore
from lib_graph.errors import UsageError
from lib_graph.run import Run
from lib_graph.run.ablations import KEPT, MASKS
from lib_graph.run.kept import graph_of
from lib_graph.run.writing import write_rows
from queries.modules.communities import write_communities
from tests.loaded import load_once
from tests.synthetic import random_run

MEMBERS = """
MATCH (f:Feature)-[:IN_COMMUNITY]->(c:Community {run: $run, method: $method, seed: $seed})
RETURN c.id AS id, c.index AS index, c.size AS size, c.span AS span, f.id AS member
ORDER BY index, member
"""


def weighted_graph(run: Run) -> nx.Graph:
    """Return the graph that METHOD.md clusters, from the run folder alone."""
    graph = nx.Graph()
    rows = run.features
    kept = rows[rows["role"].isin(["feature", "variance"])]
    graph.add_nodes_from(
        f"{run.id}/{row.layer}/{row.index}" for row in kept.itertuples(index=False)
    )
    for row in run.interactions.itertuples():
        source = f"{run.id}/{row.source_layer}/{row.source}"
        target = f"{run.id}/{row.target_layer}/{row.target}"
        if source in graph and target in graph:
            graph.add_edge(source, target, weight=np.sqrt(row.strength))
    return graph


@pytest.mark.parametrize("method", ["leiden", "louvain"])
@pytest.mark.parametrize(("last", "errors"), [("raw", False), ("basis", False), ("raw", True)])
def test_q_is_that_of_the_graph_without_constants_errors_and_outputs(
    store: GraphStore, tmp_path: Path, method: str, last: str, errors: bool
) -> None:
    run = random_run(tmp_path, (6, 5, 4, 5), last=last, errors=errors)
    load_once(store, run)
    found = queries.open_graph(store).communities(method=method, resolution=1.3, seed=3)
    graph = weighted_graph(run)
    sets = [set(each.members) for each in found.communities]
    assert set.union(*sets) == set(graph.nodes)
    for q, resolution in ((found.modularity, 1.3), (found.modularity_at_1, 1.0)):
        expected = nx.community.modularity(graph, sets, resolution=resolution)
        assert q == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("method", ["leiden", "louvain"])
def test_each_module_adds_its_part_to_q(store: GraphStore, tmp_path: Path, method: str) -> None:
    run = random_run(tmp_path, (6, 5, 4, 5), last="basis")
    load_once(store, run)
    found = queries.open_graph(store).communities(method=method, resolution=1.3, seed=3)
    graph = weighted_graph(run)
    both = 2 * graph.size(weight="weight")  # each edge from both of its ends
    for each in found.communities:
        pairs = [(a, b) for a in each.members for b in each.members]
        inside = sum(graph[a][b]["weight"] for a, b in pairs if graph.has_edge(a, b))
        degree = sum(graph.degree(member, weight="weight") for member in each.members)
        assert each.contribution == pytest.approx(inside / both - 1.3 * (degree / both) ** 2)
    assert sum(each.contribution for each in found.communities) == pytest.approx(found.modularity)
    assert list(found.to_pandas()["contribution"]) == [x.contribution for x in found.communities]


def test_modules_are_described_by_their_members(store: GraphStore, tmp_path: Path) -> None:
    run = random_run(tmp_path, (8, 8, 8, 3))
    load_once(store, run)
    found = queries.open_graph(store).communities()
    layers = {
        f"{run.id}/{layer}/{index}": layer
        for layer, index in zip(run.features["layer"], run.features["index"], strict=True)
    }
    sizes = [each.size for each in found.communities]
    assert sizes == sorted(sizes, reverse=True)
    assert [each.index for each in found.communities] == list(range(1, len(sizes) + 1))
    for each in found.communities:
        assert each.size == len(each.members)
        assert set(each.layers) == {layers[member] for member in each.members}
        assert each.span == len(each.layers)
    assert found.membership() == {m: each.index for each in found.communities for m in each.members}
    assert [row["members"] for row in found.records()] == [
        list(each.members) for each in found.communities
    ]


def test_labels_have_the_share_of_their_members_importance(
    store: GraphStore, tmp_path: Path
) -> None:
    run = random_run(tmp_path, (8, 8, 8, 3))
    load_once(store, run)
    weight: dict[str, tuple[str, float]] = {}
    for layer, rows in run.features[run.features["role"] == "feature"].groupby("layer"):
        parts = rows["importance"].astype(float) / rows["importance"].astype(float).sum()
        for index, label, part in zip(rows["index"], rows["label"], parts, strict=True):
            weight[f"{run.id}/{layer}/{index}"] = (label, part)
    for each in queries.open_graph(store).communities().communities:
        total = sum(weight[member][1] for member in each.members)
        for label, share in each.labels:
            expected = sum(weight[m][1] for m in each.members if weight[m][0] == label)
            assert share == pytest.approx(expected / total)
        shares = [share for _, share in each.labels]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1)


def test_the_same_arguments_give_the_same_modules(store: GraphStore, tmp_path: Path) -> None:
    load_once(store, random_run(tmp_path))
    graph = queries.open_graph(store)
    for method in ("leiden", "louvain"):
        again = [graph.communities(method=method, seed=4).communities for _ in range(2)]
        assert again[0] == again[1]


def test_a_number_that_is_written_otherwise_is_the_same_way(
    store: GraphStore, tmp_path: Path
) -> None:
    load_once(store, random_run(tmp_path))
    graph = queries.open_graph(store)
    found = graph.communities(resolution=1.0, seed=2)
    for resolution, seed in ((1, 2), (np.float64(1), np.int64(2))):
        other = graph.communities(resolution=resolution, seed=seed)
        assert other.communities == found.communities
        assert json.dumps(other.json_value()) == json.dumps(found.json_value())


@pytest.mark.slow
def test_stored_modules_replace_those_found_in_the_same_way(
    store: GraphStore, tmp_path: Path
) -> None:
    run = random_run(tmp_path)
    load_once(store, run)
    graph = queries.open_graph(store)
    other = graph.communities(method="louvain")
    found = graph.communities()
    for each in (other, found, found):
        graph.save_communities(each)
    for each in (other, found):
        rows = store.execute(MEMBERS, {"run": run.id, "method": each.method, "seed": 0})
        stored = [(row["index"], row["size"], row["span"], row["member"]) for row in rows]
        assert stored == sorted(
            (c.index, c.size, c.span, member) for c in each.communities for member in c.members
        )
    count = store.execute("MATCH (c:Community) RETURN count(*) AS n")
    assert count[0]["n"] == len(found) + len(other)


@pytest.mark.slow
def test_weights_of_an_ablation(store: GraphStore, tmp_path: Path) -> None:
    run = random_run(tmp_path, (6, 5, 4, 5))
    assert ingest.load(run, store).outcome == "loaded"
    rows = run.interactions.query("source > 0")
    kept = rows[rows["strength"] > rows["strength"].median()]
    write_rows(run.path / KEPT, MASKS, [kept], graph_of(run))
    assert ingest.load(run, store).outcome == "updated"
    assert ingest.load(run, store).outcome == "unchanged"
    found = queries.open_graph(store).communities(weights="log")
    graph = weighted_graph(run)
    least = kept.groupby("source_layer")["strength"].min()
    for source, _, data in graph.edges(data=True):
        layer = source.split("/", 1)[1].rsplit("/", 1)[0]
        data["weight"] = max(0.0, np.log10(data["weight"] ** 2 / least[layer]))
    sets = [set(each.members) for each in found.communities]
    assert found.modularity == pytest.approx(nx.community.modularity(graph, sets))
    other = queries.open_graph(store).communities()
    assert found.modularity != pytest.approx(other.modularity)
    for each in (found, other):
        write_communities(store, each)
    (stored,) = store.execute("MATCH (c:Community) RETURN count(*) AS n")
    assert stored["n"] == len(found) + len(other)
    others = kept[kept["source_layer"] != "layer/1"]  # as 'ablate --layers … --replace' leaves
    write_rows(run.path / KEPT, MASKS, [others], graph_of(run))
    assert [ingest.load(run, store).outcome for _ in range(2)] == ["updated", "unchanged"]
    with pytest.raises(UsageError, match=r"no edge ablations of layer/1\."):
        queries.open_graph(store).communities(weights="log")


@pytest.mark.slow
@pytest.mark.parametrize("way", [{"weights": "log"}, {"engine": "gds"}])
def test_modules_that_were_found_in_different_ways_stand_side_by_side(
    store: GraphStore, tmp_path: Path, way: dict[str, str]
) -> None:
    run = random_run(tmp_path, (6, 5, 4, 5), last="basis")
    load_once(store, run)
    graph = queries.open_graph(store)
    asked = ("module_flow", "module_bridges", "one_module_features")
    own = graph.communities()
    graph.save_communities(own)
    alone = [graph.query(name).frame for name in asked]
    finer = graph.communities(resolution=3)
    moved = tuple(replace(each, id=f"other/{each.id}") for each in finer.communities)
    other = replace(finer, resolution=own.resolution, communities=moved, **way)
    for each in (other, other):
        graph.save_communities(each)
    for name, frame in zip(asked, alone, strict=True):
        pd.testing.assert_frame_equal(graph.query(name).frame, frame)
        assert not graph.query(name, **way).frame.equals(frame)
    flow = graph.module_flow(other).flows
    stored = graph.query("module_flow", **way).frame
    pd.testing.assert_frame_equal(stored[list(flow)], flow, check_dtype=False)
    rows = store.execute("MATCH (c:Community) RETURN c.engine AS engine, c.weights AS weights")
    assert len(rows) == len(own) + len(other)
    assert {(row["engine"], row["weights"]) for row in rows} == {
        ("own", "sqrt"), (other.engine, other.weights)
    }  # fmt: skip


def test_a_run_without_interactions_has_lone_features(store: GraphStore, tmp_path: Path) -> None:
    load_once(store, random_run(tmp_path, (3, 2, 2), density=0.0))
    found = queries.open_graph(store).communities()
    assert [each.size for each in found.communities] == [1] * 5
    assert found.modularity == found.modularity_at_1 == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"weights": "log"}, "no edge ablations of layer.0, layer/1"),
        ({"weights": "linear"}, "Take 'sqrt' or 'log'"),
        ({"method": "walktrap"}, "'leiden' or 'louvain'"),
        ({"resolution": 0.0}, "above 0"),
        ({"resolution": 5e-324}, "above 0"),
        ({"resolution": float("nan")}, "above 0"),
        ({"seed": -1}, "from 0"),
    ],
)
def test_what_cannot_be_clustered_is_a_clear_error(
    store: GraphStore, tmp_path: Path, arguments: dict[str, object], says: str
) -> None:
    load_once(store, random_run(tmp_path))
    with pytest.raises(UsageError, match=says):
        queries.open_graph(store).communities(**arguments)
