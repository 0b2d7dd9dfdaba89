"""Stores for the tests: an embedded file, and a real Neo4j server.

The server is that of NEO4J_TEST_URI (everything in it is deleted!), else one that the session
starts for itself (tools/neo4j); where neither is possible its tests are skipped with the reason,
or fail if CI=true.
"""

from __future__ import annotations

import gc
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import neo4j
import pytest

from ingest.store import GraphStore, open_store
from tools.neo4j import server

# What the user of this machine has set must not change what the tests see.
SETTINGS = [name for name in os.environ if name.startswith(("LIB_GRAPH_", "NEO4J_"))]
GIVEN = {name: os.environ[name] for name in SETTINGS}
SHORT_LIVED = "-XX:TieredStopAtLevel=1"  # a JVM that compiles quickly, not for long use
KEPT = (
    "LIB_GRAPH_TEST_DATA", "LIB_GRAPH_NEO4J_CACHE", "LIB_GRAPH_NEO4J_VERSION", "NEO4J_TEST_URI",
)  # fmt: skip


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return into how many processes `make test` goes."""
    return min(os.cpu_count() or 1, 4)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tell which cases are exhaustive, and which tests have to be in one process of several.

    Of a test that is `sampled` all cases but the first on each store are exhaustive. Tests that
    need Neo4j share a process, so that one server does, and the others of a file share theirs.
    """
    seen = set()
    for item in items:
        on_neo4j = item.get_closest_marker("neo4j") is not None
        case = item.nodeid.partition("[")[0], on_neo4j
        if item.get_closest_marker("sampled") and case in seen:
            item.add_marker(pytest.mark.exhaustive)
        seen.add(case)
        if not item.get_closest_marker("xdist_group"):
            group = "neo4j" if on_neo4j else str(item.path)
            item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish() -> None:
    """Have the garbage collector pass over what is imported: most of all there is, and it stays."""
    gc.freeze()


@dataclass(frozen=True)
class Neo4j:
    """A server to test on."""

    uri: str
    username: str
    password: str = field(repr=False)
    process: server.Server | None = None
    """The session's own server, which a test may kill and start again; else None."""

    @property
    def settings(self) -> dict[str, str]:
        """The environment in which `--store URI` finds its way in."""
        return {"NEO4J_USERNAME": self.username, "NEO4J_PASSWORD": self.password}

    def driver(self) -> neo4j.Driver:
        return neo4j.GraphDatabase.driver(self.uri, auth=(self.username, self.password))

    def wipe(self) -> None:
        with self.driver() as driver:
            text = "MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 1000 ROWS"
            with driver.session() as session:  # however much a test has left
                session.run(text).consume()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        if name not in KEPT:
            monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def neo4j_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neo4j]:
    """A Neo4j server, for the whole session. Use `store` or `store_target` where you can."""
    if uri := GIVEN.get("NEO4J_TEST_URI"):
        username = GIVEN.get("NEO4J_USERNAME", "neo4j")
        yield Neo4j(uri, username, GIVEN.get("NEO4J_PASSWORD", ""))
        return
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("JDK_JAVA_OPTIONS", SHORT_LIVED)
            home = tmp_path_factory.mktemp("neo4j")
            started = server.start(home, secrets.token_hex(8), bound=True)
    except server.ServerError as error:
        reason = f"No Neo4j to test on: {error} tools/neo4j/run would have started one."
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    yield Neo4j(started.uri, started.username, started.password, started)
    started.stop()


@pytest.fixture(params=["embedded", pytest.param("neo4j", marks=pytest.mark.neo4j)])
def store_target(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """What `--store` takes, for an empty store of each kind; a test that asks runs on both."""
    if request.param == "embedded":
        return str(tmp_path / "graph.kgl")
    found: Neo4j = request.getfixturevalue("neo4j_server")
    found.wipe()
    for name, value in found.settings.items():
        monkeypatch.setenv(name, value)
    return found.uri


@pytest.fixture
def store(store_target: str) -> Iterator[GraphStore]:
    """An empty store of each kind, open, with its constraints; a test that asks runs on both."""
    with open_store(store_target) as graph:
        graph.ensure_schema()
        yield graph
