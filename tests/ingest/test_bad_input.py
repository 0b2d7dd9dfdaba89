"""What goes wrong becomes one line that says what to do, and the exit code for it."""

from __future__ import annotations

import json
import logging
import os
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import kglite
import pandas as pd
import pytest

import ingest
from ingest.store import GraphStore, open_store
from lib_graph.errors import StoreError, StoreUnavailableError
from lib_graph.run import Run
from lib_graph.run.writing import write_features
from lib_graph.support.files import file_sha256
from queries.cli.main import main
from tests.conftest import Neo4j
from tests.ingest import servers
from tests.ingest.graphs import copy_with_strengths, dump
from tests.processes import started
from tests.synthetic import random_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return random_run(tmp_path / "run", (3, 3, 2), seed=1)


def lib_graph(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return int(left.value.code or 0), out, err


def fails(capsys: pytest.CaptureFixture[str], code: int, *arguments: object) -> str:
    """Run a command that must fail with one line and this exit code; return the line."""
    found, out, err = lib_graph(capsys, *arguments, "-q")
    assert (found, out) == (code, "")
    assert err.count("\n") == 1
    assert err.startswith("Error: ")
    return err


@pytest.mark.slow
def test_it_says_what_it_did(
    store_target: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest_it = ("ingest", run.path, "--store", store_target)
    named = f"run {run.id} ({run.manifest.name})"
    where = f"{named}: 8 features, {len(run.interactions)} interactions, in {store_target}.\n"
    assert lib_graph(capsys, *ingest_it)[:2] == (0, f"Loaded {where}")
    said = f"Nothing to do: the store already holds {where}"
    assert lib_graph(capsys, *ingest_it, "-q") == (0, said, "")


@pytest.mark.slow
def test_other_numbers_are_exit_code_4(
    store_target: str, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(table: pd.DataFrame) -> None:
        table["strength"] *= 2

    other = copy_with_strengths(run, tmp_path / "other", change)
    ingest.load(run, store_target)
    line = fails(capsys, 4, "ingest", other.path, "--store", store_target)
    assert "largest relative difference is 0.5" in line
    code, out, _ = lib_graph(capsys, "ingest", other.path, "--store", store_target, "--replace")
    assert (code, out[:8]) == (0, "Replaced")


# -- run folders


def missing(run: Run) -> None:
    (run.path / "features.parquet").unlink()


def truncated(run: Run) -> None:
    file = run.path / "interactions.parquet"
    file.write_bytes(file.read_bytes()[:-100])


def unfinished(run: Run) -> None:
    (run.path / "manifest.json").unlink()


def no_json(run: Run) -> None:
    (run.path / "manifest.json").write_text("{")


def no_parquet(run: Run) -> None:
    (run.path / "features.parquet").write_text("layer,index\n")
    vouch(run, "features.parquet")


def fewer_features(run: Run) -> None:
    write_features(run.path / "features.parquet", run.features[:-1], {})
    vouch(run, "features.parquet")


def double_feature(run: Run) -> None:
    index = run.features["index"].replace(2, 1)
    write_features(run.path / "features.parquet", run.features.assign(index=index), {})
    vouch(run, "features.parquet")


def vouch(run: Run, name: str) -> None:
    """Let the manifest name what the file is now."""
    manifest = json.loads((run.path / "manifest.json").read_text())
    manifest["files"][name] = file_sha256(run.path / name)
    (run.path / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "damage",
    [missing, truncated, unfinished, no_json, no_parquet, fewer_features, double_feature],
)
def test_a_damaged_run_folder(
    store_target: str, run: Run, damage: Callable[[Run], None], capsys: pytest.CaptureFixture[str]
) -> None:
    damage(run)
    line = fails(capsys, 1, "ingest", run.path, "--store", store_target)
    assert str(run.path) in line
    assert "uild" in line


def in_place(column: str, value: float) -> Callable[[pd.DataFrame], None]:
    def change(table: pd.DataFrame) -> None:
        table.loc[3, column] = value

    return change


def test_no_run_folder(store_target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "'nowhere'" in fails(capsys, 1, "ingest", "nowhere", "--store", store_target)


# -- Neo4j


def test_a_server_that_is_down(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for scheme in ("bolt", "neo4j"):
        with servers.nobody(scheme) as uri:
            line = fails(capsys, 3, "ingest", run.path, "--store", uri)
        assert line.startswith(f"Error: {uri!r} cannot be reached")


def test_a_server_that_is_too_old() -> None:
    with (
        servers.answering(servers.BOLT_4_4, servers.hello("Neo4j/4.4.9")) as uri,
        pytest.raises(StoreUnavailableError, match=r"is Neo4j/4\.4\.9; version 5 or newer"),
    ):
        open_store(uri)


@pytest.mark.slow
@pytest.mark.parametrize("answer", [servers.HTTP, b"", bytes(4)])
def test_a_server_that_is_no_neo4j(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.store.neo4j.CONNECT_LIMIT_S", 0.5)
    with servers.answering(answer) as uri, pytest.raises(StoreUnavailableError, match=uri):
        open_store(uri)


@pytest.mark.neo4j
@pytest.mark.parametrize("where", ["environment", "address"])
def test_a_wrong_password_is_tried_once_and_never_shown(
    neo4j_server: Neo4j,
    where: str,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong, uri = "not-the-password", neo4j_server.uri
    if where == "environment":
        monkeypatch.setenv("NEO4J_PASSWORD", wrong)
    else:
        uri = uri.replace("://", f"://neo4j:{wrong}@")
    with caplog.at_level(logging.DEBUG):
        line = fails(capsys, 3, "ingest", run.path, "--store", uri)
    assert "refused the user name or password" in line
    assert wrong not in line + caplog.text
    logons = [record for record in caplog.messages if "C: LOGON" in record]
    assert len(logons) == 1
    with neo4j_server.driver() as driver:  # a success makes the server forget the failure
        driver.verify_connectivity()


@pytest.mark.neo4j
def test_no_password_at_all(
    neo4j_server: Neo4j, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "NEO4J_PASSWORD" in fails(capsys, 3, "ingest", run.path, "--store", neo4j_server.uri)


@pytest.mark.neo4j
def test_a_database_that_is_not_there(
    neo4j_server: Neo4j, run: Run, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for name, value in {**neo4j_server.settings, "NEO4J_DATABASE": "nowhere"}.items():
        monkeypatch.setenv(name, value)
    line = fails(capsys, 3, "ingest", run.path, "--store", neo4j_server.uri)
    assert "nowhere" in line
    assert "NEO4J_DATABASE" in line


@pytest.mark.neo4j
@pytest.mark.parametrize("scheme", ["bolt+s", "bolt+ssc", "neo4j+s", "neo4j+ssc"])
def test_tls_where_there_is_none(
    neo4j_server: Neo4j, scheme: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, host = neo4j_server.uri.partition("://")
    line = fails(capsys, 3, "ingest", run.path, "--store", f"{scheme}://{host}")
    plain = scheme.partition("+")[0]
    assert line == f"Error: '{scheme}://{host}' answers, but without TLS. Use {plain}://{host}\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A certificate that nobody has signed but itself."""
    folder = tmp_path_factory.mktemp("certificate")
    key, public = folder / "key.pem", folder / "public.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
               "-keyout", str(key), "-out", str(public)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, key)
    return context


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["bolt", "neo4j"])
def test_no_tls_where_there_must_be(
    scheme: str, run: Run, certificate: ssl.SSLContext, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Neo4j that requires TLS says nothing to who begins without, and hangs up."""
    with servers.with_tls(certificate) as host:
        line = fails(capsys, 3, "ingest", run.path, "--store", f"{scheme}://{host}")
        assert (
            f"'{scheme}://{host}' answers, but only with TLS. Use {scheme}+s://{host}, or" in line
        )
        line = fails(capsys, 3, "ingest", run.path, "--store", f"{scheme}+s://{host}")
        assert "answers, but its certificate is not trusted: self-signed certificate. Use" in line
        assert f"Use {scheme}+ssc://{host} if you know the server" in line


@pytest.mark.slow
def test_the_port_of_a_web_page(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ingest.store.neo4j.CONNECT_LIMIT_S", 0.5)
    with servers.web_page() as host:
        line = fails(capsys, 3, "ingest", run.path, "--store", f"neo4j://{host}")
    assert f"'neo4j://{host}' answers, but as a web page" in line
    assert line.endswith("use neo4j://127.0.0.1:7687\n")


def test_the_database_of_the_server_itself(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEO4J_DATABASE", "system")
    line = fails(capsys, 3, "ingest", run.path, "--store", "bolt://localhost")
    assert "'system' of 'bolt://localhost' is for the server's own use" in line
    assert "NEO4J_DATABASE" in line


def test_the_address_of_the_web_page(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    line = fails(capsys, 2, "ingest", run.path, "--store", "http://db.example:7474")
    assert "Write neo4j://db.example, or with TLS" in line


# -- the embedded store


@pytest.mark.slow
def test_a_store_that_another_process_writes(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "graph.kgl"
    ingest.load(run, file)
    hold = "import kglite, sys; g = kglite.open(sys.argv[1], durable='off'); print(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        line = fails(capsys, 3, "ingest", run.path, "--store", file)
        assert f"(id {process.pid})" in line
        with open_store(file) as store:
            assert store.execute("MATCH (r:Run) RETURN r.id AS id") == [{"id": run.id}]
        process.communicate(b"\n")
    assert ingest.load(run, file).outcome == "unchanged"


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"RGF", b"RGF" + bytes(500)])
def test_a_file_that_is_no_store(
    tmp_path: Path, run: Run, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "graph.kgl"
    file.write_bytes(content)
    assert str(file) in fails(capsys, 3, "ingest", run.path, "--store", file)
    with pytest.raises(StoreUnavailableError), open_store(file) as store:
        store.execute("RETURN 1 AS x")
    assert file.read_bytes() == content


def test_a_damaged_store(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "graph.kgl"
    ingest.load(run, file)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert str(file) in fails(capsys, 3, "ingest", run.path, "--store", file)


def test_folders_are_no_stores(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    fails(capsys, 3, "ingest", run.path, "--store", tmp_path)
    fails(capsys, 3, "ingest", run.path, "--store", tmp_path / "nowhere" / "graph.kgl")


def test_a_store_with_other_things_in_it(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "graph.kgl"
    with kglite.open(str(file), durable="off") as graph:
        graph.cypher("CREATE (:Person {id: 'p', name: 'somebody'})")
    ingest.load(run, file)
    ingest.delete(run.id, file)
    with open_store(file) as store:
        assert store.execute("MATCH (n) RETURN n.id AS id") == [{"id": "p"}]


def test_ids_that_are_taken_by_something_else(store: GraphStore, run: Run) -> None:
    """A Feature with an id of the run, but no run of that name: somebody else's."""
    store.write("CREATE (:Feature {id: $id, label: ''})", {"id": f"{run.id}/layer.0/1"})
    before = dump(store)
    with pytest.raises(StoreError):
        ingest.load(run, store)
    assert store.execute("MATCH (r:Run {status: 'complete'}) RETURN r.id AS id") == []
    if store.capabilities.atomic:
        assert dump(store) == before


SMALL_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))"


@pytest.mark.slow
@pytest.mark.parametrize("there_before", [False, True])
def test_a_disk_that_is_full(tmp_path: Path, run: Run, there_before: bool) -> None:
    """Stands in for a full disk: no file may grow beyond 20 kB."""
    large = random_run(tmp_path / "large", (60, 60), seed=3)
    file = tmp_path / "store" / "graph.kgl"
    file.parent.mkdir()
    if there_before:
        ingest.load(run, file)
    loading = ("ingest", str(large.path), "--store", str(file), "-q")
    process = started(*loading, before=SMALL_FILES)
    out, err = process.communicate()
    assert (process.returncode, out) == (1, "")
    assert err.startswith(f"Error: The store {str(file)!r} cannot be used: File too large")
    assert err.count("\n") == 1
    left = {path.name for path in file.parent.iterdir()} - {
        "graph.kgl.lock",
        "graph.kgl.lock-owner",
    }
    assert left == ({"graph.kgl", "graph.kgl.columns"} if there_before else set())
    if there_before:
        assert ingest.load(run, file).outcome == "unchanged"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "fixed"
    folder.mkdir(mode=0o555)
    fails(capsys, 1, "ingest", run.path, "--store", folder / "graph.kgl")
