"""What a tab offers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

import ingest
import queries
from lib_graph.run import Run
from queries.asking.library import queries_table
from queries.cli.main import VERBS, cli
from tests.synthetic import random_run

ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    run = random_run(tmp_path / "run")
    ingest.load(run, tmp_path / "lib-graph.kgl")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LIB_GRAPH_STORE", raising=False)
    return run


def offered(*typed: str) -> list[str]:
    *before, last = typed
    found = ShellComplete(cli, {}, "lib-graph", "_LIB_GRAPH_COMPLETE")
    return [each.value for each in found.get_completions(before, last)]


def test_verbs_and_options(run: Run) -> None:
    assert offered("") == list(VERBS)
    assert offered("comp") == ["compare", "compact"]
    assert "--store" in offered("paths", "--st")
    assert offered("paths", "zzz") == []


def test_what_is_in_the_store(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    layers = [layer.name for layer in run.layers]
    assert offered("paths", "--run", "") == [run.manifest.name, run.id]
    assert offered("paths", "--run", run.id[:3]) == [run.id]
    for typed in (["paths", "--target"], ["features", "--layer"], ["plot", "x.svg", "--source"]):
        assert offered(*typed, "") == layers
        assert offered(*typed, "layer/") == [name for name in layers if name.startswith("layer/")]
    with queries.open_graph() as graph:
        graph.circuits.save(graph.circuit(target=layers[-1], min_share=0.0), "mine")
    assert offered("circuits", "show", "") == ["mine"]
    assert offered("compare", "") == [run.manifest.name, run.id]
    assert capsys.readouterr() == ("", "")


def test_queries(run: Run) -> None:
    names = list(queries_table().frame["name"])
    assert offered("query", "") == offered("queries", "") == names


@pytest.mark.parametrize("store", ["nowhere.kgl", "neo4j://localhost:1", "damaged.kgl"])
def test_a_store_that_cannot_be_read_offers_nothing_and_says_nothing(
    run: Run, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("damaged.kgl").write_bytes(b"no store")
    assert offered("paths", "--store", store, "--run", "") == []
    assert offered("paths", "--store", store, "--target", "") == []
    assert offered("circuits", "show", "--store", store, "") == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_bash_is_answered(run: Run) -> None:
    words = {"COMP_WORDS": "lib-graph paths --run ", "COMP_CWORD": "3"}
    environment = {**os.environ, **words, "_LIB_GRAPH_COMPLETE": "bash_complete"}
    start = [sys.executable, "-c", "from queries.cli.main import main; main()"]
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(start, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == [f"plain,{run.manifest.name}", f"plain,{run.id}"]
    assert done.stderr == ""
