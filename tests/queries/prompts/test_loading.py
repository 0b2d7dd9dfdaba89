"""Attribution graphs in a store: their pins, other words of the same graph, and folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import queries
from ingest.graph_loading import load_graphs
from ingest.store import GraphStore, open_store
from queries.asking.statements import read_text
from tests.prompts import random_graph
from tests.queries.prompts.answers import names


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


@pytest.mark.slow
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


def test_of_a_folder_that_is_not_loaded_to_its_end_what_is_there_is_named(
    store: GraphStore, cli: Callable[..., Any], tmp_path: Path
) -> None:
    for seed in range(3):
        random_graph(tmp_path / f"{seed}.json", seed=seed, slug=f"graph {seed}")
    list(load_graphs(tmp_path / "1.json", store))
    store.write("MATCH (:Feature)-[i:INTERACTS]->(:Feature) SET i.strength = 2 * i.strength")
    found = cli("ingest", tmp_path, "--store", store.name)
    assert (found.code, "with other numbers" in found.err) == (4, True)
    names = {row["name"] for row in store.execute("MATCH (r:Run) RETURN r.name AS name")}
    there = {"graph 1"} if store.capabilities.atomic else {"graph 0", "graph 1"}
    assert names == there
    assert [line.split()[0] for line in found.out.splitlines()] == ["Loaded"] * (len(there) - 1)


@pytest.mark.slow
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
