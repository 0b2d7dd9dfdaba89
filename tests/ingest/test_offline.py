"""Runs as files for a server's own import: the same graph as a load, to the last bit."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pyarrow.parquet as pq
import pytest

import ingest
from ingest import offline
from ingest.offline import ImportFormat, write_import
from ingest.schema import CONSTRAINTS, FEATURE_INDEXES
from ingest.store import open_store
from lib_graph.errors import ConflictError, RunError, UsageError
from lib_graph.run import Run
from lib_graph.support.progress import Silent
from tests.conftest import Neo4j
from tests.ingest.graphs import Graph, dump, undated
from tests.ingest.test_graph_files import run_of, small
from tests.queries.conftest import Answer
from tests.queries.conftest import cli as cli
from tests.synthetic import random_matches, random_run
from tools.neo4j import server

pytestmark = pytest.mark.slow
Cli = Callable[..., Answer]

# What comes out otherwise, or not at all, where a file is written in the obvious way.
NAME = 'two\nlines, "quoted"'
LABELS = ('a "quoted" one', "a, b; c", "back\\slash", "True", "NaN", "ünï – Δ", "''")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Two runs that are matched, with labels of every kind and none and a manifest of 5 MB; and
    one of a prompt, whose features have more properties.
    """
    folder = tmp_path_factory.mktemp("runs")
    first = random_run(folder / "first", (12, 9, 4), seed=1, name=NAME)
    for index, label in enumerate(LABELS):
        first.label("layer.0", index + 1, label)
    path = first.path / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["notes"] = ["".join(f'"{i}", \\ and\n' for i in range(300_000))]
    path.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    second = random_run(folder / "second", (5, 3), seed=2, base=first.id, ties=True)
    random_matches(Run.open(first.path), second)
    return [Run.open(first.path), second, prompt_run(folder / "prompt", "\n")]


def prompt_run(folder: Path, token: str) -> Run:
    """The run of a small attribution graph, whose second token is this."""
    graph = small()
    graph["metadata"]["prompt_tokens"] = ["a", token]
    return run_of(graph, folder)


@pytest.fixture
def stopped(neo4j_server: Neo4j, monkeypatch: pytest.MonkeyPatch) -> Neo4j:
    """A server of our own whose database a test may replace."""
    if neo4j_server.process is None:
        pytest.skip("the server of NEO4J_TEST_URI is not ours to stop")
    for name, value in neo4j_server.settings.items():
        monkeypatch.setenv(name, value)
    return neo4j_server


@pytest.mark.neo4j
@pytest.mark.sampled
@pytest.mark.parametrize("format", get_args(ImportFormat))
def test_an_import_gives_the_graph_of_a_load(
    stopped: Neo4j, runs: list[Run], tmp_path: Path, format: ImportFormat
) -> None:
    """Once `load` has brought what was found since; of Parquet the importer loses empty texts."""
    stopped.wipe()
    for run in runs:
        ingest.load(run, stopped.uri)
    with open_store(stopped.uri) as store:
        loaded = undated(dump(store))
    report = write_import(runs, tmp_path / "files", format=format)
    process = stopped.process
    assert process is not None
    process.stop()
    try:
        assert "IMPORT DONE" in server.import_files(process.home, report.folder)
    finally:
        process.start_again()
    with open_store(stopped.uri) as store:
        assert undated(dump(store)) == as_imported(loaded, format)
        assert store.execute("SHOW CONSTRAINTS") == []
        did = [ingest.load(run, store).outcome for run in runs]
        assert did[:2] == (["updated", "unchanged"] if format == "csv" else ["relabelled"] * 2)
        assert undated(dump(store)) == loaded
        assert len(store.execute("SHOW CONSTRAINTS")) == len(CONSTRAINTS)
        indexes = {row["name"] for row in store.execute("SHOW INDEXES")}
        assert indexes >= {text.split()[2] for text in FEATURE_INDEXES}


def as_imported(graph: Graph, format: ImportFormat) -> Graph:
    """What of the graph of a load an import alone brings."""
    nodes, relationships = graph
    if format == "parquet":
        nodes = [
            {**node, "properties": {k: x for k, x in node["properties"].items() if x != ""}}
            for node in nodes
        ]
    return nodes, [each for each in relationships if each["type"] != "MATCHES"]


def rows(file: Path) -> list[list[str]]:
    csv.field_size_limit(1 << 24)  # for manifests
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.reader(opened))


def test_null_is_nothing_and_an_empty_text_is_quoted(runs: list[Run], tmp_path: Path) -> None:
    write_import(runs, tmp_path / "files", format="csv")
    text = (tmp_path / "files" / "Feature.csv").read_text(encoding="utf-8")
    constant = next(line for line in text.splitlines() if "/layer.0/0" in line)
    assert constant.endswith(',0,0,"constant",,,"",,')
    header, *found = rows(tmp_path / "files" / "Feature.csv")
    assert header[:4] == ["id:ID(Feature)", "run", "layer", "layer_index:long"]
    assert [row[8] for row in found[1 : len(LABELS) + 1]] == list(LABELS)
    assert len(found) == sum(len(run.features) for run in runs[:2])
    header, *found = rows(tmp_path / "files" / "FeatureOfPrompt.csv")
    assert {"depth:long", "number:long", "activation:double", "token"} <= set(header)
    assert len(found) == len(runs[2].features)
    assert rows(tmp_path / "files" / "Run.csv")[1][2] == NAME


@pytest.mark.parametrize("format", get_args(ImportFormat))
def test_every_number_is_exact(runs: list[Run], tmp_path: Path, format: ImportFormat) -> None:
    report = write_import(runs, tmp_path / "files", format=format)
    file = tmp_path / "files" / f"INTERACTS.{format}"
    if format == "csv":
        found = [float(row[2]) for row in rows(file)[1:]]
    else:
        found = pq.read_table(file)["strength:double"].to_pylist()
    expected = [x for run in runs for x in run.interactions.dropna(subset="share").strength]
    assert sorted(found) == sorted(expected)
    constant = sum(run.interactions.share.isna().sum() for run in runs)
    assert report.interactions == len(found) + constant


def test_a_field_may_be_longer_than_the_importer_expects(runs: list[Run], tmp_path: Path) -> None:
    write_import(runs, tmp_path / "files", format="csv")
    size = buffer_size(tmp_path / "files")
    assert size > 2 * (runs[0].path / "manifest.json").stat().st_size > offline.LEAST_BUFFER


@pytest.mark.parametrize(("token", "files"), [(" b", "Run"), ("\n", "Run,FeatureOfPrompt"),
                                              ("\r", "Run,FeatureOfPrompt")])  # fmt: skip
def test_only_files_with_line_breaks_are_read_as_such(
    tmp_path: Path, token: str, files: str
) -> None:
    write_import([prompt_run(tmp_path / "prompt", token)], tmp_path / "files", format="csv")
    arguments = (tmp_path / "files" / offline.ARGUMENTS).read_text().splitlines()
    named = ",".join(f"{name}.csv" for name in files.split(","))
    assert f"--multiline-fields={named}" in arguments


def test_the_longest_text_may_be_of_any_table(tmp_path: Path) -> None:
    run = random_run(tmp_path / "run", seed=1)
    label = "a\u0394" * (offline.LEAST_BUFFER // 8)  # 3 bytes each two characters
    run.label("layer.0", 1, label)
    write_import([run], tmp_path / "files", format="csv")
    assert buffer_size(tmp_path / "files") == 4 * len(label.encode())


def buffer_size(folder: Path) -> int:
    arguments = (folder / offline.ARGUMENTS).read_text().splitlines()
    (size,) = (int(a.partition("=")[2]) for a in arguments if a.startswith("--read-buffer-size"))
    return size


def test_what_is_beside_the_folder_is_left_alone(runs: list[Run], tmp_path: Path) -> None:
    ours = tmp_path / ".files.part" / "of the user"
    ours.parent.mkdir()
    ours.touch()
    write_import(runs[1:2], tmp_path / "files", format="csv")
    assert ours.exists()
    assert {path.name for path in tmp_path.iterdir()} == {".files.part", "files"}
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "files").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_two_that_write_to_one_folder(runs: list[Run], tmp_path: Path) -> None:
    """The first to end is there, whole, and the other is told."""
    folder = tmp_path / "files"

    class Meanwhile(Silent):
        """Another export begins and ends while one writes."""

        @contextmanager
        def stage(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
            write_import(runs[1:2], folder, format="csv")
            with super().stage(name, total) as advance:
                yield advance

    with pytest.raises(ConflictError, match="not empty"):
        write_import(runs[2:], folder, format="csv", progress=Meanwhile())
    assert [row[0] for row in rows(folder / "Run.csv")[1:]] == [runs[1].id]
    assert [path.name for path in tmp_path.iterdir()] == ["files"]


def test_the_folder_we_are_in_is_not_replaced(
    cli: Cli, runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ("export", "runs", runs[1].path, "--format", "neo4j-admin", "-q", "--out")
    answer = cli(*asked, ".")
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert "'.' is the folder that you are in" in answer.err
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty").mkdir()
    assert cli(*asked, "empty").code == 0
    assert (tmp_path / "empty" / offline.ARGUMENTS).exists()


def test_what_cannot_be_written(runs: list[Run], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run"):
        write_import([], tmp_path / "files", format="csv")
    with pytest.raises(ConflictError, match="named twice"):
        write_import([runs[0], runs[0].path], tmp_path / "files", format="csv")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").touch()
    with pytest.raises(ConflictError, match="not empty"):
        write_import(runs, tmp_path / "full", format="csv")
    shutil.copytree(runs[1].path, tmp_path / "damaged")
    (tmp_path / "damaged" / "interactions.parquet").write_bytes(b"PAR1")
    with pytest.raises(RunError):
        write_import([tmp_path / "damaged"], tmp_path / "files", format="csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged", "full"]


def test_the_verb_says_what_to_run(cli: Cli, runs: list[Run], tmp_path: Path) -> None:
    folders = [run.path for run in runs]
    out = tmp_path / "my files"
    answer = cli("export", "runs", *folders, "--format", "neo4j-admin", "--out", out, "-q")
    assert answer.code == 0
    assert f"cd '{out}' && neo4j-admin database import full neo4j @import.args" in answer.out
    assert f"lib-graph ingest {folders[1]} --store neo4j" in answer.out
    for wrong in (
        ["export", "runs", *folders, "--out", tmp_path / "x"],
        ["export", "runs", *folders, "--format", "neo4j-admin"],
        ["export", "runs", *folders, "--format", "neo4j-admin", "--out", "x", "--store", "y.kgl"],
        ["export", "features", *folders],
    ):
        assert cli(*wrong).code == 2
