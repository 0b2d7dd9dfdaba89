"""What is shown of an attribution graph, which comes without its network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import queries
from ingest.graph_loading import load_graphs
from queries.pictures.layout import lay_out
from tests.prompts import random_graph


def test_a_graph_comes_without_its_network(cli: Callable[..., Any], tmp_path: Path) -> None:
    path = random_graph(tmp_path / "graph.json")
    trace = ["trace", path, "--input", "0", "--out", tmp_path / "traced"]
    for arguments in (["ablate", path, "edges"], trace, ["examples", path]):
        found = cli(*arguments)
        assert (found.code, found.out, found.err.count("\n")) == (1, "", 1)
        assert "An attribution graph comes without its network" in found.err


@pytest.mark.slow
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
