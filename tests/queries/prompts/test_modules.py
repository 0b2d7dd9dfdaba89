"""Modules of attribution graphs, whose links skip layers, against networkx."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

import queries
from ingest.graph_loading import load_graphs
from ingest.store import GraphStore
from tests.prompts import random_graph
from tests.queries.prompts.answers import names


def without_features_of(path: Path, layer: str) -> Path:
    """Take the features of a layer away: its errors are left."""
    graph = json.loads(path.read_text())
    graph["nodes"] = [
        node for node in graph["nodes"] if node["layer"] != layer or "error" in node["feature_type"]
    ]
    known = {node["node_id"] for node in graph["nodes"]}
    graph["links"] = [link for link in graph["links"] if {link["source"], link["target"]} <= known]
    path.write_text(json.dumps(graph))
    return path


def weighted_graph(path: Path) -> nx.Graph:
    """What modules are found in, from the file alone: no errors, √|weight|."""
    graph, found = json.loads(path.read_text()), nx.Graph()
    found.add_nodes_from(
        node["node_id"] for node in graph["nodes"] if "error" not in node["feature_type"]
    )
    for link in graph["links"]:
        if link["source"] in found and link["target"] in found:
            found.add_edge(link["source"], link["target"], weight=np.sqrt(abs(link["weight"])))
    return found


@pytest.mark.parametrize("bare", [[], ["2"], ["0", "3", "4"]])
def test_links_over_a_layer_that_has_errors_alone_are_edges(
    store: GraphStore, tmp_path: Path, bare: list[str]
) -> None:
    path = random_graph(tmp_path / "graph.json", seed=5)
    for layer in bare:
        without_features_of(path, layer)
    list(load_graphs(path, store))
    graph, expected = queries.open_graph(store), weighted_graph(path)
    found, node = graph.communities(), names(graph)
    sets = [{node[member] for member in each.members} for each in found.communities]
    assert set.union(*sets) == set(expected.nodes)
    assert found.modularity == pytest.approx(nx.community.modularity(expected, sets), abs=1e-12)
    flow = graph.module_flow(found).flows
    assert flow["interactions"].sum() == expected.number_of_edges()


def test_a_graph_of_one_node_is_one_module_between_which_nothing_flows(
    store: GraphStore, tmp_path: Path
) -> None:
    path = random_graph(tmp_path / "graph.json", layers=0, positions=1)
    graph = json.loads(path.read_text())
    path.write_text(json.dumps({**graph, "nodes": graph["nodes"][:1], "links": []}))
    list(load_graphs(path, store))
    opened = queries.open_graph(store)
    found = opened.communities()
    flow = opened.module_flow(found)
    assert [each.size for each in found.communities] == [1]
    assert (len(flow.modules), len(flow.flows)) == (1, 0)
    assert flow.json_value()["flows"] == []
