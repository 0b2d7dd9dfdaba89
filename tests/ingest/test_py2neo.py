"""py2neo: the same texts through another driver give the same rows."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import ingest
from ingest.store import GraphStore, open_store
from lib_graph.errors import StoreError, StoreUnavailableError
from tests.conftest import Neo4j
from tests.ingest.graphs import comparable, dump, expected
from tests.synthetic import random_run

py2neo = pytest.importorskip("py2neo", reason="pip install 'lib-graph[py2neo]'")

pytestmark = [
    pytest.mark.neo4j,
    # It never closes the sockets of a Graph; they are closed when it is collected.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def collected() -> Iterator[None]:
    """Let the sockets that py2neo left open go here, not under somebody else's test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def graph(neo4j_server: Neo4j) -> Iterator[object]:
    neo4j_server.wipe()
    found = py2neo.Graph(neo4j_server.uri, auth=(neo4j_server.username, neo4j_server.password))
    yield found
    found.service.connector.close()


@pytest.fixture
def driver(neo4j_server: Neo4j, monkeypatch: pytest.MonkeyPatch) -> Iterator[GraphStore]:
    for name, value in neo4j_server.settings.items():
        monkeypatch.setenv(name, value)
    with open_store(neo4j_server.uri) as store:
        yield store


def test_a_run_is_loaded_as_by_the_driver(
    graph: object, driver: GraphStore, tmp_path: Path
) -> None:
    run = random_run(tmp_path / "run", (4, 3, 2), seed=1)
    assert ingest.load(run, graph).outcome == "loaded"
    assert comparable(dump(driver)) == expected(run)
    assert ingest.load(run, graph).outcome == ingest.load(run, driver).outcome == "unchanged"
    ingest.delete(run.id, graph)
    assert dump(driver) == ([], [])


@pytest.mark.parametrize(
    "text",
    [
        "MATCH (f:Feature) RETURN f.id AS id, f.importance AS importance, f.label AS label "
        "ORDER BY id",
        "MATCH (s:Feature)-[i:INTERACTS]->(t:Feature) WHERE i.share > $least "
        "RETURN s.id AS source, collect(t.id) AS targets, sum(i.strength) AS strength "
        "ORDER BY source",
        "MATCH p = (:Feature)-[i:INTERACTS]->(t:Feature) RETURN p, i, t ORDER BY i.strength",
        "MATCH (n:Nothing) RETURN n.id AS id",
    ],
)
def test_the_same_rows_as_the_driver(
    graph: object, driver: GraphStore, tmp_path: Path, text: str
) -> None:
    ingest.load(random_run(tmp_path / "run", (4, 3, 2), seed=1), driver)
    store = open_store(graph)
    assert store.execute(text, {"least": 0.1}) == driver.execute(text, {"least": 0.1})
    one, two = store.frame(text, {"least": 0.1}), driver.frame(text, {"least": 0.1})
    assert list(one.columns) == list(two.columns)
    assert one.shape == two.shape


def test_it_keeps_the_promises_of_a_store(graph: object, driver: GraphStore) -> None:
    store = open_store(graph)
    store.ensure_schema()
    with pytest.raises(StoreError, match="only reading is allowed"):
        store.execute("CREATE (:Run {id: 'x'})")
    with pytest.raises(KeyError):
        store.transact(lambda tx: tx.execute("CREATE (r:Run {id: 'x'}) RETURN r.id AS id")[0]["no"])
    assert driver.execute("MATCH (n) RETURN n") == []
    assert store.write("CREATE (r:Run {id: 'x'}) RETURN r.id AS id").rows == [{"id": "x"}]
    with pytest.raises(StoreError, match="refused"):
        store.execute("MTCH")
    assert store.capabilities == driver.capabilities
    assert store.name == driver.name


def test_a_server_that_is_gone(graph: object, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(graph)
    broken = py2neo.errors.ConnectionUnavailable("gone")

    def begin(readonly: bool) -> None:
        raise broken

    monkeypatch.setattr(graph, "begin", begin)
    with pytest.raises(StoreUnavailableError, match="cannot be reached: gone"):
        store.execute("RETURN 1 AS x")


def test_the_install_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py2neo", None)
    monkeypatch.delitem(sys.modules, "ingest.store.py2neo", raising=False)
    with pytest.raises(StoreError, match=r"pip install 'lib-graph\[py2neo\]'"):
        import ingest.store.py2neo  # noqa: F401
