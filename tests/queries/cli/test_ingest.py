"""What `lib-graph ingest` says of what it is given."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ingest.test_graph_files import small
from tests.queries.conftest import Answer
from tests.synthetic import random_run

pytestmark = pytest.mark.slow


def test_of_a_folder_of_graphs_the_good_are_loaded_and_the_others_named(
    cli: Callable[..., Answer], tmp_path: Path
) -> None:
    folder, store = tmp_path / "graphs", str(tmp_path / "graph.kgl")
    folder.mkdir()
    (folder / "good.json").write_text(json.dumps(small()))
    (folder / "other.json").write_text("[]")
    answer = cli("ingest", str(folder), "--store", store)
    assert answer.code == 1
    assert re.match(r"Loaded run \w+ \(small\): ", answer.out)
    assert "1 of 2 files was left out" in answer.err
    assert len(json.loads(cli("runs", "--store", store, "--json").out)) == 1


@pytest.mark.parametrize("names", [["one.json"], ["one.json", "other.json"]])
def test_what_is_refused_leaves_nothing_beside_a_store_that_is_not_there(
    cli: Callable[..., Answer], tmp_path: Path, names: list[str]
) -> None:
    folder, beside = tmp_path / "graphs", tmp_path / "stores"
    folder.mkdir()
    beside.mkdir()
    for name in names:
        (folder / name).write_text("[]")
    assert cli("ingest", str(folder), "--store", str(beside / "graph.kgl")).code == 1
    assert list(beside.iterdir()) == []


def test_what_comes_next_is_said_beside_what_was_done(
    cli: Callable[..., Answer], tmp_path: Path
) -> None:
    run, store = random_run(tmp_path / "run", (3, 2)), str(tmp_path / "my graph.kgl")
    answer = cli("ingest", run.path, "--store", store)
    said = answer.err.splitlines()[-1].removeprefix("Next: ").split(", or ")
    assert [shlex.split(each)[1] for each in said] == ["paths", "serve"]
    assert cli(*shlex.split(said[0])[1:]).code == 0
    assert "Next" not in answer.out
    assert "Next" not in cli("ingest", run.path, "--store", store, "-q").err


def test_what_is_not_there_may_have_been_a_run_or_a_graph(
    cli: Callable[..., Answer], tmp_path: Path
) -> None:
    answer = cli("ingest", str(tmp_path / "nosuch.json"), "--store", str(tmp_path / "graph.kgl"))
    assert answer.code == 1
    assert "no run folder" in answer.err
    assert "no attribution graph" in answer.err
    assert list(tmp_path.iterdir()) == []
