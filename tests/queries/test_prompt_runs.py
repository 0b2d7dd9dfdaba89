"""What is asked of attribution graphs, whose links skip layers, against networkx."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

import ingest
import queries
from ingest.graph_loading import load_graphs
from ingest.store import GraphStore, open_store
from lib_graph.support.tables import records_of
from queries.asking.statements import read_text
from queries.columnar import STORE_TWINS
from queries.graph import Graph
from queries.pictures.layout import lay_out
from tests.prompts import random_graph
from tests.queries.growth import Net
from tests.synthetic import random_run

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


def names(graph: Graph) -> dict[str, str]:
    """The node id of each feature."""
    rows = graph.cypher("MATCH (f:Feature {run: $run}) RETURN f.id AS id, f.node AS node").records()
    return {row["id"]: row["node"] for row in rows}


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


def test_the_columns_say_what_the_graph_says(tmp_path: Path) -> None:
    list(load_graphs(random_graph(tmp_path / "graph.json"), tmp_path / "graph.kgl"))
    asked = [
        ("hubs", {}), ("label_flow", {"k": 1000}), ("layer_totals", {}), ("inhibiting", {}),
        ("bottlenecks", {}), ("best_path_through", {}), ("weak_inputs", {}), ("dead_ends", {}),
    ]  # fmt: skip
    answers = []
    for kept in (True, False):
        if not kept:
            (tmp_path / "graph.kgl.columns" / "index.json").unlink()
        with queries.open_graph(tmp_path / "graph.kgl") as graph:
            assert (graph.store.columns() is not None) == kept
            middle = [graph.features(layer=layer).frame["id"].iloc[-1] for layer in ("3", "4")]
            near = [("inputs_of", {}), ("outputs_of", {}), ("paths_through", {"k": 1000})]
            ends = {"first": middle[0], "second": middle[1]}
            about = [(name, {"feature": middle[0], **values}) for name, values in near]
            every = [*asked, *about, ("shared_inputs", ends)]
            found = [graph.query(name, **values).records() for name, values in every]
            assert all(found[len(asked) :])
            found += [[table.records() for table in graph.sections()]]
            modules = graph.communities()
            members = {each for module in modules.communities for each in module.members}
            rows = graph.cypher("MATCH (f:Feature {run: $run}) RETURN f.id AS id, f.role AS role")
            roles = {row["id"]: row["role"] for row in rows.records()}
            assert members == {each for each, role in roles.items() if role != "error"}
            assert len(members) < len(roles)
            answers.append((found, modules.records()))
    assert json.dumps(answers[0][1]) == json.dumps(answers[1][1])
    for one, other in zip(answers[0][0], answers[1][0], strict=True):
        assert_alike(one, other)


def assert_alike(one: Any, other: Any) -> None:
    """The same rows, but for the last digits of numbers."""
    if isinstance(one, float) and isinstance(other, float):
        assert one == pytest.approx(other, rel=1e-9)
    elif isinstance(one, list):
        assert len(one) == len(other)
        for each, its in zip(one, other, strict=True):
            assert_alike(each, its)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_alike(value, other[key])
    else:
        assert one == other


def test_in_which_graphs_a_feature_is(store: GraphStore, tmp_path: Path) -> None:
    for seed in range(3):
        path = random_graph(tmp_path / f"{seed}.json", seed=seed, slug=f"graph {seed}")
    ingest.load(random_run(tmp_path / "run", base=None), store)
    files = [tmp_path / f"{seed}.json" for seed in range(3)]
    reports = [report for file in files for report in load_graphs(file, store)]
    graph = queries.open_graph(store, reports[0].run_id)
    rows = graph.query("graphs_with", layer=2, number=21).records()
    assert [(row["graph"], row["position"]) for row in rows] == [
        (f"graph {seed}", position) for seed in range(3) for position in (1, 2)
    ]
    found = json.loads(path.read_text())
    links = [x for x in found["links"] if x["target"] == "2_21_2"]
    size = sum(abs(link["weight"]) for link in links)
    best = sorted((abs(link["weight"]) / size for link in links), reverse=True)[:3]
    assert rows[-1]["shares"] == pytest.approx(best)
    assert rows[-1]["token"] == " t2"
    assert graph.query("graphs_with", layer=2, number=12).records() == []
    assert queries.open_graph(store).run.prompt is None  # the run over data is the default


def test_in_which_graphs_says_the_graph_what_the_columns_do(tmp_path: Path) -> None:
    """Ties, several positions, names that are equal, another model, a limit: Cypher's rows."""
    file = tmp_path / "graph.kgl"
    for seed in range(5):
        path = random_graph(tmp_path / f"{seed}.json", seed=seed, ties=seed < 3, density=0.3,
                            slug=f"graph {seed % 3}")  # fmt: skip
        if seed == 4:
            path.write_text(path.read_text().replace('"scan": "random"', '"scan": "other"'))
        assert [report.outcome for report in load_graphs(path, file)] == ["loaded"]
    ingest.load(random_run(tmp_path / "run", base=None), file)
    with open_store(file) as store:
        kept = store.columns()
        assert kept is not None
        text, rows = read_text("library/graphs_with"), 0
        for run in (str(each["id"]) for each in kept.runs):
            for layer, number, k in itertools.product((0, 2, 3, 9), (13, 21, 8), (1, 3, 100)):
                values = {"layer": layer, "number": number, "k": k}
                frame = store.frame(text, {"run": run, **values})
                twin = STORE_TWINS["library/graphs_with"](kept, run, **values)
                assert twin is not None
                assert list(twin.columns) == list(frame.columns)
                assert_alike(records_of(twin), records_of(frame))
                rows += len(frame)
        assert rows
    (file.with_name("graph.kgl.columns") / str(kept.numbered)).unlink()
    with queries.open_graph(file, "graph 2") as graph:  # the graph is asked
        assert len(graph.query("graphs_with", layer=2, number=21).records()) == 8


def test_pins_are_a_circuit_that_is_saved(store: GraphStore, tmp_path: Path) -> None:
    path = random_graph(tmp_path / "graph.json", density=1.0)
    value = json.loads(path.read_text())
    value["qParams"] = {
        "pinnedIds": "E_8_1,2_13_1", "supernodes": '[["a group", "3_13_1", "3_21_1", "no node"]]',
    }  # fmt: skip
    path.write_text(json.dumps(value))
    assert [report.outcome for report in load_graphs(path, store)] == ["loaded"]
    graph = queries.open_graph(store)
    known = names(graph)
    circuit = graph.circuits.load("pinned")
    pinned = {"E_8_1", "2_13_1", "3_13_1", "3_21_1"}
    assert {known[each] for each in circuit.features["id"]} == pinned
    expected = {(x["source"], x["target"]) for x in value["links"]}
    expected = {pair for pair in expected if set(pair) <= pinned}
    assert {(known[s], known[t]) for s, t in circuit.pairs()} == expected
    labels = dict(zip(circuit.features["id"], circuit.features["label"], strict=True))
    assert [label for each, label in labels.items() if known[each] == "3_21_1"] == ["a group"]
    assert [report.outcome for report in load_graphs(path, store)] == ["unchanged"]


def test_other_words_of_the_same_graph_are_named_and_taken(
    store: GraphStore, tmp_path: Path
) -> None:
    path = random_graph(tmp_path / "graph.json")
    first = json.loads(path.read_text())
    first["qParams"] = {"pinnedIds": ["E_8_1"]}
    path.write_text(json.dumps(first))
    list(load_graphs(path, store))
    other = json.loads(json.dumps(first))
    other["metadata"]["node_threshold"] = 0.6
    other["nodes"][3]["vendor"] = 5
    other["nodes"][4]["clerp"] = "a label"
    other |= {"qParams": {"pinnedIds": ["2_13_1"], "linkType": "both"}, "remark": None}
    path.write_text(json.dumps(other))
    words = (
        "metadata.node_threshold", "qParams.linkType", "qParams.pinnedIds", "remark",
        "fields of 1 node",
    )  # fmt: skip
    (report,) = load_graphs(path, store)
    assert (report.outcome, report.left) == ("relabelled", words)
    assert "left as it was there: metadata.node_threshold, qParams.linkType," in str(report)
    assert stored_words(report.run_id, store) == (None, ["E_8_1"], None, ["E_8_1"])
    (report,) = load_graphs(path, store, replace=True)
    assert (report.outcome, report.left) == ("updated", ())
    assert stored_words(report.run_id, store) == (0.6, ["2_13_1"], 5, ["2_13_1"])
    assert [(each.outcome, each.left) for each in load_graphs(path, store)] == [("unchanged", ())]


def stored_words(run: str, store: GraphStore) -> tuple[Any, ...]:
    """What a run has of words: a threshold, what is pinned, of a node, and in the circuit."""
    graph = queries.open_graph(store, run)
    (row,) = store.execute(read_text("run_manifest"), {"run": run})
    prompt = json.loads(row["manifest"])["prompt"]
    rows = graph.cypher("MATCH (f:Feature {run: $run}) RETURN f.id AS id, f.extra AS extra")
    kept = [json.loads(row["extra"] or "{}").get("vendor") for row in rows.records()]
    known = names(graph)
    pinned = [known[each] for each in graph.circuits.load("pinned").features["id"]]
    words = prompt["metadata"].get("node_threshold"), prompt["view"]["pinnedIds"]
    return *words, max(filter(None, kept), default=None), pinned


def test_a_folder_is_loaded_but_for_what_is_no_graph(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    for seed in range(2):
        random_graph(tmp_path / f"{seed}.json", seed=seed)
    (tmp_path / "graph-metadata.json").write_text('{"graphs": []}')
    (tmp_path / "2.json").write_text('{"metadata": {}, "nodes": [')
    (tmp_path / "3.json").write_text("[1, 2]")
    found = cli("ingest", tmp_path, "--store", tmp_path / "graph.kgl")
    assert found.code == 1
    assert [line.split()[0] for line in found.out.splitlines()] == ["Loaded", "Loaded"]
    line = found.err.splitlines()[-1]
    assert "2 of 4 files were left out" in line
    assert "2.json' is damaged JSON" in line
    assert "3.json' is no attribution graph" in line
    with open_store(tmp_path / "graph.kgl") as store:
        assert len(store.execute("MATCH (r:Run) RETURN r.id")) == 2


def test_a_folder_that_is_cut_off_leaves_an_embedded_store_as_it_was(tmp_path: Path) -> None:
    folder, file = tmp_path / "graphs", tmp_path / "graph.kgl"
    folder.mkdir()
    list(load_graphs(random_graph(tmp_path / "first.json", slug="first"), file))
    before = file.read_bytes()
    for seed in range(3):
        random_graph(folder / f"{seed}.json", seed=seed, slug=f"graph {seed}")
    reports = load_graphs(folder, file)
    assert [next(reports).outcome for _ in range(2)] == ["loaded"] * 2
    reports.close()
    assert file.read_bytes() == before
    with queries.open_graph(file) as graph:
        assert [run["name"] for run in graph.runs().records()] == ["first"]
        assert graph.store.columns() is not None
    assert [report.outcome for report in load_graphs(folder, file)] == ["loaded"] * 3


def test_a_graph_comes_without_its_network(cli: Callable[..., Any], tmp_path: Path) -> None:
    path = random_graph(tmp_path / "graph.json")
    trace = ["trace", path, "--input", "0", "--out", tmp_path / "traced"]
    for arguments in (["ablate", path, "edges"], trace, ["examples", path]):
        found = cli(*arguments)
        assert (found.code, found.out, found.err.count("\n")) == (1, "", 1)
        assert "An attribution graph comes without its network" in found.err


def test_what_is_shown_of_a_graph_is_what_it_has(cli: Callable[..., Any], tmp_path: Path) -> None:
    """All its interactions are counted, no column is empty, and no examples are promised."""
    counts = {}
    for seed in range(2):
        path = random_graph(tmp_path / f"{seed}.json", seed=seed, slug=f"graph {seed}")
        counts[f"graph {seed}"] = len(json.loads(path.read_text())["links"])
    cli("ingest", tmp_path, "--store", tmp_path / "graph.kgl")
    of = ["--store", tmp_path / "graph.kgl"]
    found = json.loads(cli("compare", *counts, "--json", *of).out)
    assert {run["name"]: run["interactions"] for run in found["runs"]} == counts
    for name, count in counts.items():
        rows = [row for row in found["layers"] if row["name"] == name]
        assert sum(row["interactions"] for row in rows) == count
        assert all(row["gini"] is None for row in rows)
    of += ["--run", "graph 0"]
    assert "Examples" not in cli("feature", "2/9", *of).out
    assert cli("features", "--layer", "3", *of).out.split()[:3] == ["feature", "role", "label"]
    assert "stderr" not in cli("interactions", *of).out.splitlines()[0]


def test_a_picture_has_a_band_of_rows_for_each_position(tmp_path: Path) -> None:
    list(load_graphs(random_graph(tmp_path / "graph.json"), tmp_path / "graph.kgl"))
    with queries.open_graph(tmp_path / "graph.kgl") as graph:
        circuit = graph.circuit(target="logits", min_share=0.0)
    layout = lay_out(circuit, {})
    nodes = layout.nodes
    assert nodes["position"].nunique() == 3
    assert not nodes.duplicated(["column", "y"]).any()
    rows = nodes.groupby("position")["y"].agg(["min", "max"])
    assert (rows["min"].to_numpy()[1:] > rows["max"].to_numpy()[:-1]).all()
    assert rows["max"].max() == layout.height - 1
    assert "position" not in circuit.json_value()["features"][0]
