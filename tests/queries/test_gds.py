"""Paths and modules by Graph Data Science on a real server, against ours and by brute force."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import neo4j
import networkx as nx
import numpy as np
import pytest

import ingest
import queries
from ingest.graph_loading import load_graphs
from ingest.store import GraphStore, open_store
from lib_graph.errors import UsageError
from lib_graph.run import Run
from lib_graph.run.ablations import KEPT, MASKS
from lib_graph.run.kept import graph_of
from lib_graph.run.writing import write_rows
from queries.asking.projecting import projected
from queries.asking.reader import Reader
from queries.asking.statements import CYPHER, Statement
from queries.circuits.paths import Paths
from queries.doctor.examining import examine
from tests.conftest import SHORT_LIVED, Neo4j
from tests.loaded import load_once
from tests.prompts import random_graph
from tests.queries.conftest import Answer
from tests.queries.conftest import cli as cli
from tests.queries.modules.test_communities import weighted_graph
from tests.queries.oracle import Oracle
from tests.synthetic import random_run
from tools.neo4j import server

pytestmark = [pytest.mark.neo4j, pytest.mark.slow]


@pytest.fixture(scope="module")
def gds_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neo4j]:
    """A server with Graph Data Science, for this file alone."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("JDK_JAVA_OPTIONS", SHORT_LIVED)
            home = tmp_path_factory.mktemp("gds")
            started = server.start(home, secrets.token_hex(8), gds=True, bound=True)
    except server.ServerError as error:
        pytest.skip(f"No Neo4j with GDS to test on: {error}")
    yield Neo4j(started.uri, started.username, started.password, started)
    started.stop()


@pytest.fixture
def gds(gds_server: Neo4j, monkeypatch: pytest.MonkeyPatch) -> Iterator[GraphStore]:
    """An empty store whose server has GDS, in which no test leaves a projected graph."""
    gds_server.wipe()
    for name, value in gds_server.settings.items():
        monkeypatch.setenv(name, value)
    with open_store(gds_server.uri) as store:
        store.ensure_schema()
        yield store
        assert store.execute("CALL gds.graph.list() YIELD graphName RETURN graphName") == []


def costs(found: Paths) -> list[float]:
    return [path.cost for path in found.paths]


ENDS = [
    ({}, (0, None), (3, None)),
    ({"target": "layer/3/1"}, (0, None), (3, 1)),
    ({"source": "layer/1"}, (1, None), (3, None)),
    ({"source": "layer.0/2", "target": "layer.2"}, (0, 2), (2, None)),
    ({"source": "layer/1/3", "target": "layer.2/2"}, (1, 3), (2, 2)),
]


def test_the_strongest_paths_are_those_of_brute_force_and_ours(
    gds: GraphStore, tmp_path: Path
) -> None:
    run = random_run(tmp_path, (5, 5, 4, 3), density=0.6, seed=4)
    ingest.load(run, gds)
    graph = queries.open_graph(gds)
    for places, start, end in ENDS:
        expected = Oracle(run).paths(start, end)
        strongest = sorted(expected, key=lambda path: -np.prod(expected[path]))
        for k in (1, 5, 1000):
            found, own = graph.paths(**places, k=k, engine="gds"), graph.paths(**places, k=k)
            assert [path.path for path in found.paths] == strongest[:k]
            assert [(p.path, p.shares, p.labels) for p in found.paths] == [
                (p.path, p.shares, p.labels) for p in own.paths
            ]
            assert costs(found) == pytest.approx(costs(own), rel=1e-12)
            for path in found.paths:
                assert path.strength == pytest.approx(np.prod(expected[path.path]), rel=1e-12)
                assert path.shares == tuple(expected[path.path])


def test_of_ties_only_those_for_the_last_place_may_be_others(
    gds: GraphStore, tmp_path: Path
) -> None:
    run = random_run(tmp_path, (4, 4, 4, 3), density=0.8, ties=True, seed=1)
    ingest.load(run, gds)
    graph = queries.open_graph(gds)
    for places in ({}, {"target": "layer/3/1"}):
        every = graph.paths(**places, k=1000)
        assert len(every) > 20
        found = graph.paths(**places, k=1000, engine="gds")
        assert [path.path for path in found.paths] == [path.path for path in every.paths]
        for k in (2, 7, 20):
            found, own = graph.paths(**places, k=k, engine="gds"), graph.paths(**places, k=k)
            assert costs(found) == pytest.approx(costs(own), rel=1e-12)
            last = round(costs(own)[-1], 10)
            sure = [path.path for path in own.paths if round(path.cost, 10) < last]
            assert [path.path for path in found.paths][: len(sure)] == sure
            assert {path.path for path in found.paths} <= {path.path for path in every.paths}


def test_paths_skip_layers_where_interactions_do(gds: GraphStore, tmp_path: Path) -> None:
    list(load_graphs(random_graph(tmp_path / "graph.json", 3), gds))
    graph = queries.open_graph(gds)
    own = graph.paths(k=50)
    assert len({len(path.path) for path in own.paths}) > 1
    found = graph.paths(k=50, engine="gds")
    assert [path.path for path in found.paths] == [path.path for path in own.paths]
    assert graph.communities(engine="gds").modularity <= graph.communities().modularity + 1e-9


def test_there_is_no_path_where_there_is_none(gds: GraphStore, tmp_path: Path) -> None:
    ingest.load(random_run(tmp_path, (3, 2, 2), density=0.0), gds)
    graph = queries.open_graph(gds)
    assert graph.paths(engine="gds").paths == ()
    found = graph.communities(engine="gds")
    assert [each.size for each in found.communities] == [1] * 5
    assert found.modularity == found.modularity_at_1 == 0


def planted(path: Path) -> Run:
    """A run of four modules: what has the same remainder by 4 interacts, and little else does."""
    same = [(i, j) for i in range(1, 13) for j in range(1, 13) if i % 4 == j % 4]
    across = [(1, 2), (2, 7), (5, 12)]
    return random_run(path, (12, 12, 12), last="basis", pairs=[same + across] * 2, ties=True)


@pytest.mark.parametrize("method", ["leiden", "louvain"])
def test_modules_that_are_there_are_those_of_ours(
    gds: GraphStore, tmp_path: Path, method: str
) -> None:
    ingest.load(planted(tmp_path), gds)
    graph = queries.open_graph(gds)
    found, own = graph.communities(method=method, engine="gds"), graph.communities(method=method)
    assert [each.size for each in found.communities] == [9] * 4
    assert found.modularity == pytest.approx(own.modularity, abs=1e-12)
    assert found.membership() == own.membership()
    assert (found.engine, own.engine) == ("gds", "own")
    assert json.loads(json.dumps(found.json_value()))["engine"] == "gds"


@pytest.mark.parametrize(
    "settings",
    [{"method": "louvain"}, {"resolution": 1.0}, {"resolution": 0.5}, {"resolution": 2, "seed": 3}],
)
def test_q_is_that_of_the_modules_that_it_stands_beside(
    gds: GraphStore, tmp_path: Path, settings: dict[str, object]
) -> None:
    run = random_run(tmp_path, (9, 8, 7, 5), last="basis", density=0.5, seed=5, errors=True)
    ingest.load(run, gds)
    graph = queries.open_graph(gds)
    found = graph.communities(engine="gds", **settings)
    whole = weighted_graph(run)
    sets = [set(each.members) for each in found.communities]
    assert set.union(*sets) == set(whole.nodes)
    for q, resolution in ((found.modularity, found.resolution), (found.modularity_at_1, 1.0)):
        expected = nx.community.modularity(whole, sets, resolution=resolution)
        assert q == pytest.approx(expected, abs=1e-12)
    assert graph.communities(engine="gds", **settings).communities == found.communities
    assert found.modularity <= graph.communities(**settings).modularity + 1e-9


def test_weights_over_the_least_that_an_ablation_keeps(gds: GraphStore, tmp_path: Path) -> None:
    run = random_run(tmp_path, (6, 5, 4, 5))
    rows = run.interactions.query("source > 0")
    kept = rows[rows["strength"] > rows["strength"].quantile(0.3)]
    write_rows(run.path / KEPT, MASKS, [kept], graph_of(run))
    ingest.load(run, gds)
    graph = queries.open_graph(gds)
    found, own = (graph.communities(weights="log", engine=each) for each in ("gds", "own"))
    whole, least = weighted_graph(run), kept.groupby("source_layer")["strength"].min()
    for source, _, data in whole.edges(data=True):
        layer = source.split("/", 1)[1].rsplit("/", 1)[0]
        data["weight"] = max(0.0, np.log10(data["weight"] ** 2 / least[layer]))
    sets = [set(each.members) for each in found.communities]
    assert found.modularity == pytest.approx(nx.community.modularity(whole, sets), abs=1e-12)
    assert found.modularity <= own.modularity + 1e-9


def test_modules_by_gds_are_stored_and_shown(
    gds: GraphStore, tmp_path: Path, cli: Callable[..., Answer]
) -> None:
    run = planted(tmp_path)
    ingest.load(run, gds)
    at = ("--store", gds.name, "--engine", "gds")
    shown = cli("communities", *at, "--write", "--show-cypher")
    assert shown.code == 0
    assert "Modularity Q = " in shown.out
    assert "gds.leiden.mutate" in shown.err
    assert cli("communities", "--store", gds.name, "--write").code == 0
    stored = gds.execute(
        "MATCH (c:Community)<-[:IN_COMMUNITY]-(f) "
        "RETURN c.engine AS engine, count(f) AS n ORDER BY engine"
    )
    assert stored == [{"engine": "gds", "n": 36}, {"engine": "own", "n": 36}]
    shown = cli("paths", *at, "-k", "3", "--show-cypher", "--json")
    assert len(json.loads(shown.out)) == 3
    assert "Paste this" in shown.err
    pasted = shown.err.partition("Paste this")[2]
    assert "gds.shortestPath.yens.stream" in pasted
    for options, says in [
        (("communities", "--resolution", "1:2:0.5"), "one partition"),
        (("communities", "--null", "3"), "one partition"),
        (("communities", "--method", "louvain", "--resolution", "2"), "neither a resolution"),
        (("paths", "--distinct", "1"), "Distinct paths are for the engine 'own'"),
    ]:
        refused = cli(*options, *at)
        assert refused.code == 2
        assert says in refused.err


def test_a_graph_is_dropped_where_the_answer_fails(gds: GraphStore, tmp_path: Path) -> None:
    run = planted(tmp_path)
    ingest.load(run, gds)
    text = "MATCH (a:Feature)-[r:INTERACTS]->(b) RETURN gds.graph.project($graph, a, b) AS g"

    def fail() -> None:
        with projected(Reader(gds, run.id)) as name:
            gds.execute(text, {"graph": name})
            listed = gds.execute("CALL gds.graph.list() YIELD graphName RETURN graphName")
            assert listed == [{"graphName": name}]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def test_no_text_warns(gds: GraphStore, gds_server: Neo4j, tmp_path: Path) -> None:
    run = planted(tmp_path)
    ingest.load(run, gds)
    graph = queries.open_graph(gds)
    asked = list(graph.paths(engine="gds").statements)
    for method in ("leiden", "louvain"):
        asked += graph.communities(method=method, engine="gds").statements
    parts = {path.read_text(encoding="utf-8") for path in (CYPHER / "gds").glob("*.cypher")}
    assert not [part for part in parts if not any(part in each.text for each in asked)]
    with gds_server.driver() as driver, driver.session() as session:
        for each in asked:
            done = session.run(f"EXPLAIN {each.text}", dict(each.parameters)).consume()
            assert _warnings(done, each) == []


def _warnings(done: neo4j.ResultSummary, asked: Statement) -> list[tuple[str, str]]:
    notes = [each for each in done.gql_status_objects if each.is_notification]
    return [(asked.text, each.status_description) for each in notes]


def test_doctor_names_its_version(gds: GraphStore) -> None:
    found = {check.name: check.found for check in examine(gds.name).checks}
    assert found["GDS"] == gds.capabilities.gds
    assert str(gds.capabilities.gds).startswith("2.13.")


def test_a_store_without_it_says_so(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "graph.kgl")) as store:
        load_once(store, random_run(tmp_path / "run"))
        graph = queries.open_graph(store)
        for ask in (graph.paths, graph.communities):
            with pytest.raises(UsageError, match="no Graph Data Science"):
                ask(engine="gds")
            with pytest.raises(UsageError, match="no engine 'igraph'"):
                ask(engine="igraph")
