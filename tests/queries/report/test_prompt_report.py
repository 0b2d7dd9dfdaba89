"""The report of an attribution graph: a prompt and a tool, and nothing that needs its network."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest

from ingest.graph_loading import load_graphs
from queries import open_graph
from tests.prompts import random_graph
from tests.queries.cli.test_reading import Cli

NOT_ITS_OWN = (
    "degeneracy", "lib-graph ablate", "lib-graph examples", "importances", "SHA-256",
    "0 parameters",
    "on the data", "gradient", "the most important", "lib-graph build",
)  # fmt: skip


@pytest.fixture
def loaded(tmp_path: Path) -> tuple[Path, str]:
    path, store = random_graph(tmp_path / "graph.json", slug="two-steps"), tmp_path / "graph.kgl"
    graph = json.loads(path.read_text())
    maker = {"name": "circuit-tracer by Hand", "version": "9.7", "url": "https://example.org/made"}
    graph["metadata"]["info"] = {"generator": maker}
    path.write_text(json.dumps(graph))
    (report,) = load_graphs(path, store)
    return store, report.run_id


@pytest.mark.slow
def test_the_report_tells_of_the_prompt_alone(
    loaded: tuple[Path, str], cli: Cli, tmp_path: Path
) -> None:
    store, run = loaded
    page = tmp_path / "page.html"
    assert cli("circuit", "--target", "logits", "--save", "all", "--store", store).code == 0
    answer = cli("report", run, "--store", store, "--out", page)
    assert answer.code == 0, answer.err
    text = html.unescape(page.read_text(encoding="utf-8"))
    for word in ("circuit-tracer by Hand", "9.7", "' t1'", "two-steps", "logits"):
        assert word in text, word
    assert [word for word in NOT_ITS_OWN if word in text] == []


def test_no_circuit_of_it_is_to_be_tested(loaded: tuple[Path, str], cli: Cli) -> None:
    store, run = loaded
    shown = [
        cli("circuit", "--target", "logits", "--save", "all", "--store", store),
        cli("circuits", "--store", store),
        cli("circuits", "show", "all", "--store", store),
    ]
    assert [answer.code for answer in shown] == [0, 0, 0]
    assert not any("ablate" in answer.out + answer.err for answer in shown)
    assert "not at hand" in shown[2].out
    with open_graph(store, run) as graph:
        assert "position" in graph.circuits.load("all").features


def test_it_is_no_average(loaded: tuple[Path, str], cli: Cli) -> None:
    answer = cli("unusual", "--store", loaded[0])
    assert answer.code == 2
    assert "attribution graph of one prompt" in answer.err
