"""What passes is waited for, and what does not fit is made to: on a real server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import neo4j
import pytest

import ingest
import queries
from ingest.store import GraphStore, Transaction, open_store
from ingest.store.neo4j import Neo4jStore
from lib_graph.errors import StoreUnavailableError, TransactionTooLargeError
from lib_graph.run import Run
from queries.doctor.checks import Asking
from queries.doctor.server import check_server
from tests.conftest import Neo4j
from tests.synthetic import random_run
from tools.neo4j.server import Server

pytestmark = [pytest.mark.neo4j, pytest.mark.slow]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return random_run(tmp_path / "run", (150, 150), density=1.0, seed=1)


@pytest.fixture
def neo4j_target(neo4j_server: Neo4j, monkeypatch: pytest.MonkeyPatch) -> str:
    neo4j_server.wipe()
    for name, value in neo4j_server.settings.items():
        monkeypatch.setenv(name, value)
    return neo4j_server.uri


@pytest.fixture
def own_server(neo4j_server: Neo4j) -> Server:
    if neo4j_server.process is None:
        pytest.skip("the server of NEO4J_TEST_URI is not ours to stop")
    return neo4j_server.process


@contextmanager
def setting(server: Server, line: str) -> Iterator[None]:
    """Let a server run with one more line in its settings."""
    file = server.home / "conf" / "neo4j.conf"
    before = file.read_text()

    def start_with(text: str) -> None:
        server.stop()
        file.write_text(text)
        server.start_again()

    try:
        start_with(f"{before}{line}\n")
        yield
    finally:
        start_with(before)


def test_pieces_shrink_until_they_fit(
    neo4j_target: str,
    own_server: Server,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for module in ("ingest.pieces", "ingest.filling", "ingest.deleting"):
        monkeypatch.setattr(f"{module}.PIECE_ROWS", 40_000)
    with setting(own_server, "db.memory.transaction.max=16m"):
        assert ingest.load(run, neo4j_target).outcome == "loaded"
        assert "has no room for so much in a transaction: writing 11250 rows" in caplog.text
        assert ingest.load(run, neo4j_target).outcome == "unchanged"  # to the last bit
        with queries.open_graph(neo4j_target) as graph:
            assert len(graph.paths(k=10)) == 10
            with pytest.raises(TransactionTooLargeError, match=r"^100,000 paths .*Ask for fewer\."):
                graph.paths(k=100_000)
        ingest.delete(run.id, neo4j_target)
        with open_store(neo4j_target) as store:
            assert store.execute("MATCH (n) RETURN count(n) AS n") == [{"n": 0}]

            def create(transaction: Transaction) -> None:
                transaction.execute("UNWIND range(1, 100000) AS i CREATE (:Big {id: i})")

            found = {check.name: check for check in check_server(Asking(store), [])}
            assert found["transactions"].state == "lacking"
            assert found["transactions"].found == "at most 16 MiB each"

            with pytest.raises(TransactionTooLargeError, match=r"db\.memory\.transaction\.max"):
                store.transact(create)


class StopServer:
    """Progress that kills the server in the middle and starts it again a while later."""

    def __init__(self, server: Server) -> None:
        self._server, self._left = server, 3
        self._again = threading.Timer(4.0, server.start_again)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        yield self._advance

    def _advance(self, done: int) -> None:
        self._left -= 1
        if self._left == 0:
            self._server.kill()
            self._again.start()

    def say(self, line: str) -> None:
        pass

    def join(self) -> None:
        self._again.join()


def test_a_load_waits_for_a_server_that_comes_back(
    neo4j_target: str,
    own_server: Server,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for module in ("ingest.pieces", "ingest.filling"):
        monkeypatch.setattr(f"{module}.PIECE_ROWS", 4000)
    stopping = StopServer(own_server)
    try:
        assert ingest.load(run, neo4j_target, progress=stopping).outcome == "loaded"
    finally:
        stopping.join()
    assert ingest.load(run, neo4j_target).outcome == "unchanged"
    assert caplog.text.count("does not answer") >= 1
    assert "Waiting for it, up to 30 s" in caplog.text


def test_a_deadlock_is_no_error(neo4j_target: str) -> None:
    """Two transactions lock two nodes in opposite order; one is sent back and tries again."""
    with open_store(neo4j_target) as store:
        store.write("CREATE (:Run {id: 'a', features: 0}), (:Run {id: 'b', features: 0})")
        both = threading.Barrier(2)
        tries: list[str] = []

        def lock(first: str, second: str) -> Callable[[Transaction], None]:
            def work(transaction: Transaction) -> None:
                tries.append(first)
                add = "MATCH (r:Run {id: $id}) SET r.features = r.features + 1"
                transaction.execute(add, {"id": first})
                if tries.count(first) == 1:
                    both.wait(20)
                transaction.execute(add, {"id": second})

            return work

        threads = [
            threading.Thread(target=_with_own_store, args=(neo4j_target, lock(*pair)))
            for pair in (("a", "b"), ("b", "a"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(tries) > 2
        rows = store.execute("MATCH (r:Run) RETURN r.features AS n")
        assert rows == [{"n": 2}, {"n": 2}]


def _with_own_store(target: str, work: Callable[[Transaction], None]) -> None:
    with open_store(target) as store:
        store.transact(work)


def test_a_login_that_is_locked_is_reported_and_breaks_no_other(
    neo4j_server: Neo4j, neo4j_target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(neo4j_target) as working:
        for _ in range(3):
            wrong = neo4j.GraphDatabase.driver(neo4j_target, auth=("neo4j", "not-it"))
            with wrong, pytest.raises(neo4j.exceptions.AuthError):
                wrong.verify_connectivity()
        attempts = _count_logons(monkeypatch)
        with pytest.raises(StoreUnavailableError, match="refuses all passwords for some seconds"):
            open_store(neo4j_target)
        assert attempts == ["logon"]
        assert _loaded(working)
    _wait_for_login(neo4j_server)


def _count_logons(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list that grows by each attempt to log in."""
    attempts: list[str] = []
    driver = neo4j.GraphDatabase.driver

    def counted(*arguments: object, **options: object) -> neo4j.Driver:
        attempts.append("logon")
        return driver(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(neo4j.GraphDatabase, "driver", counted)
    return attempts


def _loaded(store: GraphStore) -> bool:
    store.transact(lambda transaction: transaction.execute("CREATE (:Run {id: 'x'})"))
    return store.execute("MATCH (r:Run) RETURN r.id AS id") == [{"id": "x"}]


def _wait_for_login(server: Neo4j) -> None:
    """Let the server forget what it saw, for the tests that come."""
    done = threading.Event()
    for _ in range(40):
        try:
            with server.driver() as driver:
                driver.verify_connectivity()
            return
        except neo4j.exceptions.Neo4jError:
            done.wait(0.5)
    raise AssertionError("the login is still locked")


def test_a_store_reads_what_it_has_written_wherever_it_reads(neo4j_target: str) -> None:
    """Each session begins with the bookmarks of those before; one that is to come is waited for."""
    with open_store(neo4j_target) as store:
        assert isinstance(store, Neo4jStore)
        store.transact(lambda transaction: transaction.execute("CREATE (:Run {id: 'a'})"))
        with store._session() as session:
            session.run("RETURN 1").consume()
            after_one = session.last_bookmarks().raw_values
        store.write("CREATE (:Run {id: 'b'})")
        with store._session() as session:
            session.run("RETURN 1").consume()
            after_two = session.last_bookmarks().raw_values
        assert after_one
        assert after_two
        assert after_one.isdisjoint(after_two)
    with open_store(neo4j_target) as other, other._session() as session:  # type: ignore[attr-defined]
        assert not session.last_bookmarks().raw_values
