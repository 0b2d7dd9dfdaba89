"""What is exported as Neuronpedia has it, read again: the same run."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import ingest
import queries
from ingest.graph_loading import load_graphs
from ingest.graphs.reading import read_graph
from ingest.graphs.tables import write_run
from lib_graph.building.build import build
from lib_graph.building.options import Options
from queries.export import Format, export_circuit, export_features, export_interactions
from tests.data import reference_data
from tests.lib_graph.nets import transformer_subject
from tests.prompts import random_graph
from tests.published_schema import faults
from tests.synthetic import random_run

NAMES = (
    "circuit-tracer-local-gemma-dallas", "derived-schema0-gemma", "derived-eleuther-attribute",
    "derived-openmoss-lorsa", "derived-id-collision-and-pins", "neuronpedia-clt-hp-night",
    "neuronpedia-clt-hp-son",
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
        value = exported(graph)
    # A local scan may have a slash, and two nodes one id: those are faults of the files.
    assert sorted(faults(value)) == sorted(faults(json.loads(path.read_text())))
    (tmp_path / "again.json").write_text(json.dumps(value))
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


def test_a_run_over_data_is_written_as_published(tmp_path: Path) -> None:
    run = random_run(tmp_path / "run", (3, 4, 2), seed=4, name='a run/of "mine" (p=')
    run.label("layer.2", 1, "<b>'quoted' (p=0.5)\x07 é</b>")
    ingest.load(run, tmp_path / "graph.kgl")
    with queries.open_graph(tmp_path / "graph.kgl") as graph:
        whole, parts = exported(graph), []
        for write in (
            lambda file: export_features(graph, file, format=NEURONPEDIA),
            lambda file: export_circuit(
                graph.circuit(target="layer.2"), file, format=NEURONPEDIA, run=graph.run
            ),
        ):
            file = io.BytesIO()
            write(file)
            parts.append(json.loads(file.getvalue()))
    for value in (whole, *parts):
        assert faults(value) == []
    assert len(whole["nodes"]) == len(run.features)


@pytest.mark.slow
def test_a_lib_run_comes_back_and_is_then_written_the_same(tmp_path: Path) -> None:
    run = build(transformer_subject(), tmp_path / "run", Options(basis="lib"))
    ingest.load(run, tmp_path / "graph.kgl")
    with queries.open_graph(tmp_path / "graph.kgl") as graph:
        first = exported(graph)
    assert faults(first) == []
    (tmp_path / "first.json").write_text(json.dumps(first))
    (report,) = load_graphs(tmp_path / "first.json", tmp_path / "graph.kgl")
    with queries.open_graph(tmp_path / "graph.kgl", report.run_id) as graph:
        again = exported(graph)
    assert faults(again) == []
    (tmp_path / "again.json").write_text(json.dumps(again))
    (report,) = load_graphs(tmp_path / "again.json", tmp_path / "graph.kgl")
    assert report.outcome == "unchanged"
    effect = run.interactions["effect"]
    assert sorted(x["weight"] for x in again["links"]) == sorted(effect[effect != 0])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda g: g.pop("qParams"), "lacks qParams"),
        (lambda g: g["metadata"].update(slug="a b"), "slug is"),
        (lambda g: g["metadata"].update(schema_version=2), "schema_version"),
        (lambda g: g["qParams"].update(linkType="all"), "linkType"),
        (lambda g: g["nodes"][0].pop("jsNodeId"), "lacks jsNodeId"),
        (lambda g: g["nodes"][0].update(ctx_idx=99), "ctx_idx 99"),
        (lambda g: g["nodes"][0].update(feature_type="feature"), "feature_type"),
        (lambda g: g["nodes"][0].update(feature=1.5), "feature is 1.5"),
        (lambda g: g["nodes"][-1].update(clerp="word"), "no probability"),
        (lambda g: g["links"][0].update(weight=None), "weight is None"),
        (lambda g: g["links"][0].update(source="none"), "no node"),
        (lambda g: g["links"].append(dict(g["links"][0])), "twice"),
    ],
)
def test_what_is_not_as_published_is_found(
    tmp_path: Path, change: Callable[[Any], object], fault: str
) -> None:
    value = json.loads(random_graph(tmp_path / "graph.json").read_text())
    assert faults(value) == []
    change(value)
    assert any(fault in each for each in faults(value))
