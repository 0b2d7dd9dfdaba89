"""What `lib-graph doctor` finds, of stores as they are and of stores with something amiss."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import kglite
import pytest

import ingest
from ingest.store import GraphStore, open_store
from lib_graph.run import Run
from queries.asking.runs import RunInfo
from queries.doctor import machine, server
from queries.doctor.checks import Asking
from queries.doctor.runs import read_runs
from tests.conftest import Neo4j
from tests.ingest.servers import nobody
from tests.queries.conftest import Answer
from tests.synthetic import random_run

Cli = Callable[..., Answer]

pytestmark = pytest.mark.slow  # it imports torch


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return random_run(tmp_path / "run", seed=1)


def checks(answer: Answer) -> dict[str, dict[str, Any]]:
    """The checks by name, as --json prints them."""
    return {row["name"]: row for row in json.loads(answer.out)}


def amiss(found: dict[str, dict[str, Any]], of: str = "store") -> dict[str, str]:
    """The names of what is not ok, with its state."""
    return {
        name: row["state"] for name, row in found.items()
        if row["state"] != "ok" and row["of"] == of
    }  # fmt: skip


def test_a_store_that_is_well(cli: Cli, store_target: str, run: Run) -> None:
    ingest.load(run, store_target)
    answer = cli("doctor", "--store", store_target, "--json")
    found = checks(answer)
    assert (answer.code, amiss(found)) == (0, {})
    assert found["reached"]["found"] == store_target
    assert found["runs"]["found"] == f"1 run, {len(run.interactions)} interactions"
    if store_target.endswith(".kgl"):
        assert found["file"]["found"].endswith(f", kglite {kglite.__version__}")
        assert found["columns"]["found"].startswith("of all runs")
        assert found["writer"]["found"] == "nobody writes"
    else:
        assert re.fullmatch(r"Neo4j (5|2026)\.[\d.]+, community", found["server"]["found"])
        assert found["database"]["found"] == "neo4j"
        assert found["constraints"]["found"] == "all 6"
        assert found["clock"]["found"] == "as here"
        assert found["page cache"]["found"].startswith("256 MiB; the graph about ")


def test_it_fits_a_terminal_and_shows_its_cypher(cli: Cli, store_target: str, run: Run) -> None:
    with open_store(store_target) as store:
        store.ensure_schema()
        store.write("CREATE (:Run {id: 'half', name: 'half', status: 'loading', interactions: 1})")
    answer = cli("doctor", "--store", store_target, "--show-cypher")
    assert answer.code == 0
    lines = answer.out.replace(store_target, "STORE").splitlines()
    assert max(map(len, lines)) <= 80
    assert "runs: There is nothing to ask." in lines
    assert "unfinished run: It takes space, and nobody sees it." in lines
    assert lines.count("  lib-graph ingest RUN --store STORE") == 2
    assert "MATCH (r:Run)\n" in answer.err
    assert ("SHOW INDEXES" in answer.err) is not store_target.endswith(".kgl")


def test_runs_of_an_older_version(cli: Cli, store_target: str, run: Run) -> None:
    ingest.load(run, store_target)
    with open_store(store_target) as store:
        store.write("MATCH (r:Run) SET r.schema_version = 1")
        store.write("CREATE (:Run {id: 'gone', name: 'gone', status: 'deleting', interactions: 1})")
    answer = cli("doctor", "--store", store_target, "--json")
    found = checks(answer)
    assert answer.code == 1
    assert found["version of a run"]["state"] == "wrong"
    assert found["version of a run"]["command"] == f"lib-graph upgrade --store {store_target}"
    assert found["unfinished run"]["command"] == f"lib-graph delete gone --store {store_target}"
    assert cli("upgrade", "--store", store_target, "-q").code == 0
    assert cli("delete", "gone", "--store", store_target, "--yes", "-q").code == 0
    assert cli("doctor", "--store", store_target).code == 0


@pytest.mark.parametrize("target", ["nowhere/graph.kgl", "none.kgl", "broken.kgl"])
def test_files_that_cannot_be_reached(cli: Cli, tmp_path: Path, target: str) -> None:
    (tmp_path / "broken.kgl").write_bytes(b"RGF" + bytes(500))
    answer = cli("doctor", "--store", tmp_path / target, "--json")
    found = checks(answer)
    assert (answer.code, amiss(found)) == (3, {"reached": "wrong"})
    assert target.rpartition("/")[2] in found["reached"]["costs"] + found["reached"]["command"]
    assert found["Python"]["state"] == "ok"


def test_a_server_that_cannot_be_reached(cli: Cli) -> None:
    with nobody("bolt") as address:
        answer = cli("doctor", "--store", address, "--json")
    found = checks(answer)
    assert (answer.code, amiss(found)) == (3, {"reached": "wrong"})
    assert "Connection refused" in found["reached"]["costs"]
    assert "tools/neo4j/run starts one" in found["reached"]["command"]


def test_what_is_no_store_is_a_wrong_argument(cli: Cli) -> None:
    assert cli("doctor", "--store", "http://localhost").code == 2


def test_columns_that_are_not_there(cli: Cli, tmp_path: Path, run: Run) -> None:
    file = tmp_path / "graph.kgl"
    ingest.load(run, file)
    (file.with_name("graph.kgl.columns") / "index.json").unlink()
    found = checks(cli("doctor", "--store", file, "--json"))
    assert amiss(found) == {"columns": "lacking"}
    assert found["columns"]["found"] == "not there for 1 of 1 run"
    assert run.id in found["columns"]["command"]
    assert ingest.load(run, file).outcome == "unchanged"
    assert amiss(checks(cli("doctor", "--store", file, "--json"))) == {}


def test_a_file_that_is_being_written(cli: Cli, tmp_path: Path, run: Run) -> None:
    file = tmp_path / "graph.kgl"
    ingest.load(run, file)
    with kglite.open(str(file), durable="off"):
        found = checks(cli("doctor", "--store", file, "--json"))
    assert amiss(found) == {"writer": "lacking"}
    assert found["writer"]["found"] == f"process {os.getpid()} writes"


def test_a_disk_without_room_for_the_file_once_more(cli: Cli, tmp_path: Path, run: Run) -> None:
    file = tmp_path / "graph.kgl"
    ingest.load(run, file)
    with (file.with_name("graph.kgl.columns") / "large").open("wb") as large:
        large.truncate(1 << 43)  # of holes
    answer = cli("doctor", "--store", file, "--json")
    assert (answer.code, amiss(checks(answer))) == (1, {"disk": "wrong"})


@pytest.fixture
def server_store(neo4j_server: Neo4j, run: Run, monkeypatch: pytest.MonkeyPatch) -> str:
    neo4j_server.wipe()
    for name, value in neo4j_server.settings.items():
        monkeypatch.setenv(name, value)
    ingest.load(run, neo4j_server.uri)
    return neo4j_server.uri


@pytest.mark.neo4j
def test_a_server_without_the_schema(cli: Cli, server_store: str, run: Run) -> None:
    with open_store(server_store) as store:
        store.write("DROP CONSTRAINT feature_id")
        store.write("DROP INDEX feature_run")
    found = checks(cli("doctor", "--store", server_store, "--json"))
    assert amiss(found) == {"constraints": "lacking", "indexes": "lacking"}
    assert found["constraints"]["found"] == "none for Feature"
    assert found["indexes"]["found"] == "no feature_run"
    assert found["indexes"]["command"] == f"lib-graph ingest RUN --store {server_store}"
    assert ingest.load(run, server_store).outcome == "unchanged"
    assert amiss(checks(cli("doctor", "--store", server_store, "--json"))) == {}


def asked(store: GraphStore, runs: list[RunInfo] | None = None) -> dict[str, Any]:
    asking = Asking(store)
    return {check.name: check for check in server.check_server(asking, runs or read_runs(asking))}


@pytest.mark.neo4j
def test_a_server_that_is_small_for_its_runs(
    server_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with runs of ten million interactions, and where more heap is needed than is there."""
    with open_store(server_store) as store:
        (here,) = read_runs(Asking(store))
        found = asked(store, [replace(here, interactions=5_000_000)] * 2)
        assert found["page cache"].state == "lacking"
        assert found["page cache"].found == "256 MiB; the graph about 1.49 GiB"
        assert found["page cache"].command == "server.memory.pagecache.size=2048m in neo4j.conf"
        assert found["heap"].state == "ok"
        monkeypatch.setattr(server, "LEAST_HEAP", 1 << 40)
        assert asked(store)["heap"].state == "lacking"


@pytest.mark.neo4j
@pytest.mark.parametrize(("wrong", "found"), [(-90.0, "90 s ahead"), (60.0, "60 s behind")])
def test_a_clock_that_differs(
    server_store: str, wrong: float, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = server.time.time
    monkeypatch.setattr(server.time, "time", lambda: now() + wrong)
    with open_store(server_store) as store:
        check = asked(store)["clock"]
    assert (check.state, check.found) == ("lacking", found)


class Reserved(Asking):
    """A server that shows this user nothing, as one whose owner has not allowed it."""

    def rows(self, text: str) -> list[dict[str, Any]]:
        return []


class Vague(Asking):
    """A server that shows null."""

    def rows(self, text: str) -> list[dict[str, Any]]:
        names = ("version", "edition", "name", "bytes", "milliseconds", "label")
        return [dict.fromkeys(names)]


@pytest.mark.parametrize("kind", [Reserved, Vague])
def test_a_server_that_does_not_say(kind: type[Asking], run: Run, tmp_path: Path) -> None:
    ingest.load(run, tmp_path / "graph.kgl")
    with open_store(tmp_path / "graph.kgl") as store:
        looks = ("_version", "_database", "_page_cache", "_heap", "_transactions", "_clock")
        for name in looks:
            if kind is Vague and name in ("_page_cache", "_transactions"):
                continue  # they look for their rows by name
            check = server._said(name, getattr(server, name), kind(store), [])
            assert (check.state, check.found) == ("ok", "the server does not say")
        assert server._apoc(kind(store), []).found == "not installed, and not needed"


LATE = 'python3 -c \'import time; time.sleep(5); print("version \\"17.0\\"")\''


@pytest.mark.parametrize("body", [LATE, "printf '\\377\\376'"])
def test_a_java_that_does_not_say_its_version(
    body: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "LIMIT_S", 0.2)
    program = tmp_path / "java"
    program.write_text(f"#!/bin/sh\nexec {body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (check,) = (each for each in machine.check_machine() if each.name == "java")
    assert (check.state, check.found) == ("lacking", "java -version does not say which")


def test_a_machine_without_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {check.name: check for check in machine.check_machine()}
    assert {found["java"].state, found["mvn"].state} == {"lacking"}
    assert found["java"].found == "not installed"
    (tmp_path / "java").write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_292\"' >&2\n")
    (tmp_path / "java").chmod(0o755)
    found = {check.name: check for check in machine.check_machine()}
    assert found["java"].found == "1; 17 or 21 is needed"


def test_transformers_that_are_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "OLDEST_TRANSFORMERS", (999, 0))
    (check,) = (each for each in machine.check_machine() if each.name == "transformers")
    assert check.state == "lacking"
    assert check.found.endswith("; 999.0 is needed")
    assert check.command == "pip install 'lib-graph[hf]'"


def test_a_driver_without_a_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "GPU", tmp_path)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    (check,) = (each for each in machine.check_machine() if each.name == "devices")
    assert (check.state, check.found) == ("lacking", "cpu, though there is an NVIDIA driver")
