"""What is exported as Neuronpedia has it, read again: the same run."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import ingest
import queries
from ingest.graph_loading import load_graphs
from ingest.graphs.reading import read_graph
from ingest.graphs.tables import write_run
from queries.export import Format, export_circuit, export_interactions
from tests.data import reference_data
from tests.synthetic import random_run

NAMES = (
    "circuit-tracer-local-gemma-dallas", "derived-schema0-gemma", "derived-eleuther-attribute",
    "derived-openmoss-lorsa", "derived-id-collision-and-pins",
)  # fmt: skip
NEURONPEDIA: Format = "neuronpedia"


def exported(graph: queries.Graph) -> dict[str, Any]:
    file = io.BytesIO()
    export_interactions(graph, file, format=NEURONPEDIA)
    value = json.loads(file.getvalue())
    assert isinstance(value, dict)
    return value


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_attribution_graph_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    path = reference_data("formats/graphs") / f"{name}.json"
    (report,) = load_graphs(path, tmp_path / "graph.kgl")
    before = write_run(read_graph(path), tmp_path / "before")
    with queries.open_graph(tmp_path / "graph.kgl") as graph:
        (tmp_path / "again.json").write_text(json.dumps(exported(graph)))
    after = write_run(read_graph(tmp_path / "again.json"), tmp_path / "after")
    assert after.id == before.id == report.run_id
    pd.testing.assert_frame_equal(after.features, before.features)
    pd.testing.assert_frame_equal(after.interactions, before.interactions)
    kept, was = after.manifest.prompt, before.manifest.prompt
    assert kept is not None
    assert was is not None
    assert (kept.metadata, kept.view, kept.extra) == (was.metadata, was.view, was.extra)


def test_fields_of_a_real_file_come_back_one_by_one(tmp_path: Path) -> None:
    path = reference_data("formats/graphs") / f"{NAMES[0]}.json"
    list(load_graphs(path, tmp_path / "graph.kgl"))
    with queries.open_graph(tmp_path / "graph.kgl") as graph:
        found = exported(graph)
        circuit, file = graph.circuit(target="logits", min_share=0.3), io.BytesIO()
        export_circuit(circuit, file, format=NEURONPEDIA, run=graph.run, prompt=graph.prompt())
    written = json.loads(path.read_text())
    by_id = {node["node_id"]: node for node in written["nodes"]}
    assert {node["node_id"]: node for node in found["nodes"]} == by_id
    links = {(x["source"], x["target"]): x["weight"] for x in written["links"]}
    assert {(x["source"], x["target"]): x["weight"] for x in found["links"]} == links
    part = json.loads(file.getvalue())
    assert 0 < len(part["links"]) == len(circuit) < len(links)
    assert all(by_id[node["node_id"]] == node for node in part["nodes"])


def test_a_run_over_data_comes_back_as_its_features_and_effects(tmp_path: Path) -> None:
    run = random_run(tmp_path / "run", (3, 4, 2), seed=4)
    ingest.load(run, tmp_path / "graph.kgl")
    with queries.open_graph(tmp_path / "graph.kgl") as graph:
        (tmp_path / "graph.json").write_text(json.dumps(exported(graph)))
    (report,) = load_graphs(tmp_path / "graph.json", tmp_path / "graph.kgl")
    rows = run.interactions
    layers = {layer.name: layer.index for layer in run.layers}
    expected = {
        (layers[row.source_layer], row.source, layers[row.target_layer], row.target): row.effect
        for row in rows.itertuples()
    }
    again = write_run(read_graph(tmp_path / "graph.json"), tmp_path / "again")
    assert again.id == report.run_id
    place = {
        index: tuple(map(int, node.split("_")[:2]))
        for index, node in zip(again.features["index"], again.features["node"], strict=True)
    }
    found = {
        (*place[row.source], *place[row.target]): row.effect
        for row in again.interactions.itertuples()
    }
    assert found == expected
