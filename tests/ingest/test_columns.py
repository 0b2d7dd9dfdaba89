"""The columns beside an embedded store say what the graph says, or are not used."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import ingest
import queries
from ingest.graph_loading import load_graphs
from ingest.store import GraphStore, open_store
from ingest.store.columns import INDEX
from ingest.store.keeping import Keeping
from ingest.store.numbers import find_numbered
from lib_graph.run import Run
from tests.prompts import random_graph
from tests.synthetic import random_run

STRONGEST = "MATCH (:Feature {run: $run})-[r:INTERACTS]->() RETURN max(r.strength) AS s"
DOUBLE = "MATCH (:Feature {run: $run})-[r:INTERACTS]->() SET r.strength = 2 * r.strength"
FILE = "interactions.parquet"
KILLED = """
import os, signal, sys
import ingest
from ingest.store.keeping import Keeping

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(Keeping, sys.argv[3], die)
ingest.load(sys.argv[1], sys.argv[2])
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return random_run(tmp_path / "run", (3, 4, 2), seed=1)


@pytest.fixture
def file(tmp_path: Path, run: Run) -> Path:
    ingest.load(run, tmp_path / "graph.kgl")
    return tmp_path / "graph.kgl"


def is_kept(file: Path, run: Run) -> bool:
    with open_store(file) as store:
        columns = store.columns()
        return columns is not None and columns.run(run.id) is not None


def answers(file: Path, run: Run) -> list[object]:
    with queries.open_graph(file, run.id) as graph:
        return [
            graph.run,
            graph.interactions(limit=5, constants=True).records(),
            graph.features().records(),
            graph.query("hubs").records(),
            graph.paths(k=3).records(),
        ]


def forget(file: Path) -> None:
    shutil.rmtree(file.with_name(file.name + ".columns"))


def test_without_columns_the_answers_are_the_same(file: Path, run: Run) -> None:
    assert is_kept(file, run)
    before = answers(file, run)
    forget(file)
    assert not is_kept(file, run)
    assert answers(file, run) == before


def test_a_text_that_may_have_changed_them_ends_them(file: Path, run: Run) -> None:
    with queries.open_graph(file) as graph:
        before = graph.interactions(limit=1).frame["strength"][0]
        graph.write_cypher(DOUBLE)
        assert graph.interactions(limit=1).frame["strength"][0] == 2 * before
    assert not is_kept(file, run)


def test_so_does_a_transaction_but_only_for_its_run(file: Path, run: Run, tmp_path: Path) -> None:
    other = random_run(tmp_path / "other", seed=2)
    ingest.load(other, file)
    assert is_kept(file, run)
    with open_store(file) as store:
        store.transact(lambda transaction: transaction.execute(DOUBLE, {"run": other.id}))
    assert is_kept(file, run)
    assert not is_kept(file, other)


def test_what_only_reads_or_saves_a_circuit_leaves_them(file: Path, run: Run) -> None:
    with queries.open_graph(file) as graph:
        graph.cypher(STRONGEST)
        graph.circuits.save(graph.circuit_of(graph.paths(k=2)), "mine")
    assert is_kept(file, run)


def test_new_labels_are_in_them(file: Path, run: Run) -> None:
    run.label("layer.0", 2, "mine")
    assert ingest.load(run, file).outcome == "relabelled"
    assert is_kept(file, run)
    with queries.open_graph(file) as graph:
        assert "mine" in set(graph.features(layer="layer.0").frame["label"])


@pytest.mark.slow
def test_what_has_not_changed_is_not_written_again(tmp_path: Path) -> None:
    """Graphs come and go; their files stay, and which has what number is as if loaded at once."""
    file, folder = tmp_path / "graph.kgl", tmp_path / "graph.kgl.columns"
    paths = [random_graph(tmp_path / f"{seed}.json", seed=seed) for seed in range(3)]
    ids = []
    for path in paths:
        before = set(folder.iterdir()) if folder.exists() else set()
        ids += [report.run_id for report in load_graphs(path, file)]
        kept = [each for each in before if each.name.startswith(("features", "interactions"))]
        assert all(each.exists() for each in kept)
    ingest.delete(ids[1], file)
    with open_store(file) as store:
        columns = store.columns()
        assert columns is not None
        found = find_numbered(folder / str(columns.numbered), 2, 13)
        assert set(found) == {ids[0], ids[2]}
        for run, rows in found.items():
            one = columns.run(run)
            assert one is not None
            nodes = one.features[(one.features["depth"] == 2) & (one.features["number"] == 13)]
            assert sorted(rows) == nodes.index.tolist()
            store.transact(
                lambda transaction, run=run: transaction.execute(
                    "MATCH (f:Feature {run: $run, number: 13}) SET f.number = 14", {"run": run}
                )
            )
            columns = store.columns()
            assert columns is not None
            assert run not in find_numbered(folder / str(columns.numbered), 2, 13)
            assert run in find_numbered(folder / str(columns.numbered), 2, 14)
    assert len([each for each in folder.iterdir() if each.name.startswith("numbered")]) == 1


def test_columns_without_numbers_get_them_with_the_next_graph(tmp_path: Path) -> None:
    """An index of a lib-graph that kept no numbers."""
    file = tmp_path / "graph.kgl"
    index = tmp_path / "graph.kgl.columns" / INDEX
    paths = [random_graph(tmp_path / f"{seed}.json", seed=seed) for seed in range(2)]
    ids = [report.run_id for report in load_graphs(paths[0], file)]
    old = json.loads(index.read_text())
    del old["numbered"]
    index.write_text(json.dumps(old))
    ids += [report.run_id for report in load_graphs(paths[1], file)]
    with open_store(file) as store:
        columns = store.columns()
        assert columns is not None
        found = find_numbered(index.parent / str(columns.numbered), 2, 13)
    assert set(found) == set(ids)


def test_of_a_deleted_run_nothing_is_left(file: Path, run: Run, tmp_path: Path) -> None:
    other = random_run(tmp_path / "other", seed=2)
    ingest.load(other, file)
    before = answers(file, other)
    ingest.delete(run.id, file)
    assert answers(file, other) == before
    left = file.with_name(file.name + ".columns").iterdir()
    assert sorted(each.name.partition("-")[0] for each in left) == [
        "features", INDEX, "interactions",
    ]  # fmt: skip


def test_columns_of_another_file_are_not_used(file: Path, run: Run, tmp_path: Path) -> None:
    copy = tmp_path / "copy.kgl"
    shutil.copytree(f"{file}.columns", f"{copy}.columns")
    shutil.copy2(file, copy)
    assert not is_kept(copy, run)
    assert answers(copy, run) == answers(file, run)


def test_no_room_for_them_costs_no_run(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "graph.kgl"
    with monkeypatch.context() as patch:
        patch.setattr(Keeping, "_write_features", full)
        assert ingest.load(run, file).outcome == "loaded"
    assert "No space left on device" in caplog.text
    assert not is_kept(file, run)
    assert ingest.load(run, file).outcome == "unchanged"
    assert is_kept(file, run)


class BuiltAgain:
    """Progress in which the run folder gets other numbers when all of it is in the store."""

    def __init__(self, run: Run, other: Run) -> None:
        self._run, self._other = run, other

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda done: None
        os.replace(self._other.path / FILE, self._run.path / FILE)

    def say(self, line: str) -> None:
        pass


def test_a_folder_that_is_built_again_meanwhile_is_noticed(
    tmp_path: Path, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    other = random_run(tmp_path / "other", (3, 4, 2), seed=2, run_id=run.id)
    wanted = sorted(run.interactions["strength"])
    file = tmp_path / "graph.kgl"
    ingest.load(run, file, progress=BuiltAgain(run, other))
    assert "was written anew while it was loaded" in caplog.text
    assert not is_kept(file, run)
    with queries.open_graph(file) as graph:
        found = graph.interactions(limit=1000, constants=True).frame["strength"]
    assert sorted(found) == wanted
    names = [each.name.partition("-")[0] for each in Path(f"{file}.columns").iterdir()]
    assert sorted(names) == ["features", INDEX]


@pytest.mark.slow
@pytest.mark.parametrize("at", ["publish", "_write_features", "_interactions"])
def test_a_kill_after_the_file_is_written_loses_nothing(
    file: Path, run: Run, tmp_path: Path, at: str
) -> None:
    """A reader sees the new file, in Cypher, and the next load brings the columns back."""
    other = random_run(tmp_path / "other", seed=2)
    before = answers(file, run)
    command = [sys.executable, "-c", KILLED, str(other.path), str(file), at]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not is_kept(file, run)
    assert answers(file, run) == before
    assert len(answers(file, other)) == len(before)
    for each in (run, other):
        assert ingest.load(each, file).outcome == "unchanged"
    assert is_kept(file, run)
    assert is_kept(file, other)
    assert answers(file, run) == before


def test_neo4j_and_a_writer_have_none(store: GraphStore, run: Run) -> None:
    with store.writing():
        ingest.load(run, store)
        assert store.columns() is None
    kept = store.columns()
    assert (kept is None) == (store.capabilities.kind == "neo4j")


def test_circuits_and_modules_leave_the_columns_of_all_runs(tmp_path: Path, file: Path) -> None:
    other = random_run(tmp_path / "other", (3, 4, 2), seed=2)
    ingest.load(other, file)
    columns = file.with_name(file.name + ".columns")
    before = {path.name for path in columns.glob("*.parquet")}
    assert len(before) == 4
    with queries.open_graph(file, other.id) as graph:
        graph.save_communities(graph.communities())
        circuit = graph.circuit(target="layer.2/1", min_share=0.0)
        graph.circuits.save(circuit, "one")
        graph.circuits.save(circuit, "one", replace=True)
        assert {path.name for path in columns.glob("*.parquet")} == before
        assert graph.store.columns() is not None
        graph.circuits.delete("one")
        assert {path.name for path in columns.glob("*.parquet")} == before
        graph.label("layer/1/2", "new")
        assert len(before & {path.name for path in columns.glob("*.parquet")}) == 3
        assert "new" in graph.features().frame["label"].tolist()
