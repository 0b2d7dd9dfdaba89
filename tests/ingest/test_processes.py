"""Real processes that are killed, or get into each other's way."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import ingest
from ingest.store import GraphStore, open_store
from lib_graph.errors import StoreUnavailableError
from lib_graph.run import Run
from tests.conftest import Neo4j
from tests.ingest.graphs import comparable, dump_at, expected
from tests.processes import held, started
from tests.synthetic import random_run

pytestmark = pytest.mark.slow

COMPLETE = "MATCH (r:Run {status: 'complete'}) RETURN r.id AS id"
DONE = "MATCH (c:Checkpoint) RETURN c.done AS done"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Large enough for a load in several pieces that takes a second or so."""
    return random_run(tmp_path_factory.mktemp("large") / "run", (120, 120, 120), seed=4)


def test_a_load_that_is_killed_is_finished_by_the_same_command(
    store: GraphStore, store_target: str, run: Run
) -> None:
    process = held("ingest", str(run.path), "--store", store_target, steps=3)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert store.execute(COMPLETE) == []
    again = started("ingest", str(run.path), "--store", store_target)
    out, err = again.communicate()
    assert again.returncode == 0, err
    assert out.startswith("Loaded" if store.capabilities.atomic else "Finished loading")
    assert comparable(dump_at(store_target)) == expected(run)


def test_ctrl_c_says_how_to_go_on(store: GraphStore, store_target: str, run: Run) -> None:
    arguments = ("ingest", str(run.path), "--store", store_target)
    process = held(*arguments, steps=3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert err.splitlines()[-1].endswith(f"To go on: lib-graph {' '.join(arguments)}")
    assert "Traceback" not in err
    assert store.execute(COMPLETE) == []
    assert ingest.load(run, store_target).changed
    assert comparable(dump_at(store_target)) == expected(run)


@pytest.mark.sampled
@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.2, 0.3])
def test_an_embedded_file_is_whole_or_not_there(tmp_path: Path, run: Run, delay: float) -> None:
    file = tmp_path / "graph.kgl"
    process = started("ingest", str(run.path), "--store", str(file))
    lock = Path(f"{file}.lock")
    while process.poll() is None and not lock.exists():
        time.sleep(0.005)
    time.sleep(delay)
    process.kill()
    process.communicate()
    published = file.exists()
    if published:
        with open_store(file) as store:
            assert store.execute(COMPLETE) == [{"id": run.id}]
    assert ingest.load(run, file).changed is not published
    assert comparable(dump_at(str(file))) == expected(run)


def test_two_processes_load_the_same_run(store_target: str, run: Run) -> None:
    both = [started("ingest", str(run.path), "--store", store_target) for _ in range(2)]
    said = [process.communicate() for process in both]
    codes = [process.returncode for process in both]
    assert 0 in codes, said
    assert set(codes) <= {0, 3, 4}, said
    for code, (out, err) in zip(codes, said, strict=True):
        errors = [line for line in err.splitlines() if line.startswith("Error:")]
        assert len(errors) == (code != 0), err
        assert "Traceback" not in out + err
    assert comparable(dump_at(store_target)) == expected(run)


def test_a_reader_is_not_in_the_way_of_a_writer(
    store: GraphStore, store_target: str, run: Run
) -> None:
    process = started("ingest", str(run.path), "--store", store_target)
    seen = []
    while process.poll() is None:
        seen.append(store.execute(COMPLETE))
    process.communicate()
    assert process.returncode == 0
    assert all(rows in ([], [{"id": run.id}]) for rows in seen)
    assert store.execute(COMPLETE) == [{"id": run.id}]


class KillServer:
    """Progress that kills the server after some batches."""

    def __init__(self, neo4j: Neo4j) -> None:
        self._neo4j, self._left = neo4j, 3

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        yield self._advance

    def _advance(self, done: int) -> None:
        self._left -= 1
        if self._left == 0:
            assert self._neo4j.process is not None
            self._neo4j.process.kill()

    def say(self, line: str) -> None:
        pass


@pytest.mark.neo4j
def test_a_server_that_is_killed_keeps_what_was_written(
    neo4j_server: Neo4j, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    if neo4j_server.process is None:
        pytest.skip("the server of NEO4J_TEST_URI is not ours to kill")
    neo4j_server.wipe()
    monkeypatch.setattr("ingest.store.neo4j.WAIT_LIMIT_S", 0.5)
    for name, value in neo4j_server.settings.items():
        monkeypatch.setenv(name, value)
    try:
        with pytest.raises(StoreUnavailableError, match="cannot be reached"):
            ingest.load(run, neo4j_server.uri, progress=KillServer(neo4j_server))
    finally:
        neo4j_server.process.start_again()
    with open_store(neo4j_server.uri) as store:
        assert store.execute(DONE) == [{"done": 3}]
        assert ingest.load(run, store).outcome == "resumed"
    assert comparable(dump_at(neo4j_server.uri)) == expected(run)
