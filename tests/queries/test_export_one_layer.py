"""Exports of a graph that has one node, and so neither links nor a second layer."""

import json

import networkx as nx
import pandas as pd
import pytest

from ingest.graph_loading import load_graphs
from queries.cli.main import main
from tests.ingest.test_graph_files import small

SUFFIXES = {"csv": "csv", "parquet": "parquet", "json": "json", "graphml": "graphml",
            "gexf": "gexf", "cyjs": "cyjs", "node-link": "json", "neuronpedia": "json"}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    graph = small()
    alone = {**graph, "nodes": graph["nodes"][1:2], "links": []}
    (folder / "one.json").write_text(json.dumps(alone))
    (report,) = load_graphs(folder / "one.json", str(folder / "one.kgl"))
    assert report
    return str(folder / "one.kgl")


@pytest.mark.parametrize("format", SUFFIXES)
def test_no_interactions_are_an_empty_file_of_their_format(format, store, tmp_path, capsys):
    file = tmp_path / f"out.{SUFFIXES[format]}"
    asked = ["export", "interactions", "--format", format, "--store", store, "--out", str(file)]
    with pytest.raises(SystemExit) as ended:
        main(asked)
    assert ended.value.code == 0, capsys.readouterr().err
    if format in ("csv", "parquet"):
        rows = pd.read_csv(file) if format == "csv" else pd.read_parquet(file)
        assert not len(rows)
        assert {"source", "target", "strength"} <= set(rows.columns)
        return
    if format in ("graphml", "gexf"):
        graph = nx.read_graphml(file) if format == "graphml" else nx.read_gexf(file)
    else:
        value = json.loads(file.read_text())
        if format == "json":
            assert value == []
            return
        if format == "neuronpedia":
            assert (len(value["nodes"]), value["links"]) == (1, [])
            return
        graph = (
            nx.cytoscape_graph(value)
            if format == "cyjs"
            else nx.node_link_graph(value, edges="edges")
        )
    assert (len(graph), graph.number_of_edges()) == (1, 0)
