"""What a run folder keeps: all of it is registered, and nothing else ever lies there."""

import ast
from pathlib import Path

import pandas as pd
import pytest

import lib_graph
from lib_graph.errors import ConflictError, RunError
from lib_graph.run import Run
from lib_graph.run.ablations import ABLATION, MASKS
from lib_graph.run.examples import EXAMPLES
from lib_graph.run.histograms import HISTOGRAMS
from lib_graph.run.kept import (
    KEPT,
    checked_origin,
    clear,
    differing,
    finished,
    graph_of,
    kept_as,
    made_from,
    read_rows,
    up_to_date,
)
from lib_graph.run.matches import MATCHES
from lib_graph.run.schema import DATA_FILES
from lib_graph.run.writing import write_rows
from lib_graph.support.progress import Silent
from queries.cli.main import VERBS
from tests.lib_graph.cli.test_build import lib_graph as command
from tests.own_network import NETWORK
from tests.synthetic import random_run

NAMES = [kept.pattern.replace("*", "a-b") for kept in KEPT]
SCHEMAS = {
    "examples": EXAMPLES, "histograms": HISTOGRAMS, "ablation": ABLATION, "masks": MASKS,
    "matches": MATCHES,
}  # fmt: skip
ORIGIN = {"run": "a", "count": 3}
WRITERS = {"write_table", "ParquetWriter"}


@pytest.fixture
def run(tmp_path):
    return random_run(tmp_path / "run", (3, 4, 2), density=1.0)


def found_in(run, name, origin):
    """Write a table without rows into the folder of a run, and return where."""
    path = run.path / name
    schema = SCHEMAS[name.partition(".")[0].partition("-")[0]]
    write_rows(path, schema, [pd.DataFrame(columns=schema.names)], origin)
    return path


class Saying(Silent):
    def __init__(self):
        self.said = []

    def say(self, line):
        self.said.append(line)


def test_each_kind_of_file_is_registered_once():
    for name in NAMES:
        assert sum(Path(name).match(kept.pattern) for kept in KEPT) == 1
    assert {kept.pattern for kept in KEPT if kept.vouched} == set(DATA_FILES)


def test_what_is_not_registered_is_not_written(run):
    with pytest.raises(LookupError, match=r"'news\.parquet' is no file of a run folder"):
        write_rows(run.path / "news.parquet", EXAMPLES, [], ORIGIN)
    assert not (run.path / "news.parquet").exists()


@pytest.mark.slow
def test_there_is_one_way_to_write_a_table_of_a_run():
    package = Path(lib_graph.__file__).parent
    writers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in WRITERS
    }
    assert writers == {"run/writing.py", "support/tables.py"}


def test_what_is_made_from_the_same_is_up_to_date(run):
    path, watched = found_in(run, "examples.parquet", ORIGIN), Saying()
    assert up_to_date([path], ORIGIN, progress=watched)
    assert watched.said == [f"{path} is up to date."]
    assert not up_to_date([path], {**ORIGIN, "count": 4}, replace=True, progress=watched)
    assert not up_to_date([path, run.path / "masks.parquet"], ORIGIN, progress=watched)
    assert not up_to_date([run.path / "masks.parquet"], ORIGIN, progress=watched)
    assert len(watched.said) == 1


def test_what_is_made_from_something_else_is_a_conflict(run):
    one, two = found_in(run, "examples.parquet", ORIGIN), found_in(run, "masks.parquet", {"x": 1})
    with pytest.raises(ConflictError, match=r"holds other masks: they differ in count, run, x\. "):
        up_to_date([one, two], ORIGIN)
    two.write_bytes(b"damaged")
    with pytest.raises(ConflictError, match=r"they differ in count, run\. --replace makes them"):
        up_to_date([two], ORIGIN)


def test_a_folder_holds_one_run(run, tmp_path):
    origin, watched = made_from(run.path / "features.parquet"), Saying()
    (run.path / "bases.safetensors").unlink()
    (run.path / "manifest.json").rename(tmp_path / "manifest.json")
    assert finished(run.path, origin, watched) is None
    assert not watched.said
    with pytest.raises(ConflictError, match=r"it differs in synthetic\. Choose another --out"):
        finished(run.path, {"synthetic": 5})
    (run.path / "bases.safetensors").write_bytes(b"damaged")
    with pytest.raises(ConflictError, match="is damaged or no part of a run"):
        finished(run.path, origin)
    assert finished(tmp_path / "empty", origin) is None


def test_differences_are_in_any_field():
    assert differing({"a": 1, "b": None}, {"a": 1}) == []
    assert differing({"a": 1, "b": 2}, {"c": 3, "a": 2}) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "name", ["examples.parquet", "histograms.parquet", "ablation.parquet", "masks.parquet"]
)
def test_what_is_of_another_build_is_not_read(run, name):
    origin = graph_of(run, *kept_as(Path(name)).of)
    schema = SCHEMAS[name.partition(".")[0]]
    path = found_in(run, name, {**origin, "more": 1})
    assert checked_origin(run, path) == {**origin, "more": 1}
    assert read_rows(run, path, schema).empty
    for field in origin:
        found_in(run, name, {**origin, field: "other"})
        with pytest.raises(RunError, match=f"of another build than that of run {run.id}"):
            read_rows(run, path, schema)
    path.unlink()
    holds = kept_as(path).holds
    with pytest.raises(RunError, match=f"has no {holds}. Make them with 'lib-graph .* {run.path}"):
        read_rows(run, path, schema)


def test_rows_that_are_cut_off_are_one_clear_line(run):
    path = found_in(run, "examples.parquet", graph_of(run, "run", "bases"))
    whole = path.read_bytes()
    path.write_bytes(b"PAR1" + b"x" * 200 + whole[-300:])
    with pytest.raises(RunError, match=r"Make it again with 'lib-graph examples .* --replace'"):
        read_rows(run, path, EXAMPLES)


def test_what_two_runs_have_in_common_is_of_both(run):
    bases = {run.id: graph_of(run)["bases"], "other": "x"}
    path = found_in(run, "matches-a-b.parquet", {"bases": bases})
    assert checked_origin(run, path)["bases"] == bases
    found_in(run, "matches-a-b.parquet", {"bases": {"other": "x"}})
    with pytest.raises(RunError, match="of another build"):
        checked_origin(run, path)


def test_replacing_a_run_removes_all_but_what_people_wrote(run):
    for name in (*NAMES, "notes.txt"):
        (run.path / name).touch()
    clear(run.path)
    assert {path.name for path in run.path.iterdir()} == {"labels.json", "notes.txt"}


IN_A_FOLDER = {
    "build": [["net.py:make_model", "--out", "run"]],
    "examples": [["run", "-n", "2"]],
    "feature": [["run/hidden/1", "--label", "mine"]],
    "trace": [["run", "--input", "3", "--out", "trace"]],
    "degeneracy": [["run"]],
    "ablate": [
        ["run", "nodes", "--layers", "hidden"],
        ["run", "edges", "--delta", "0.5"],
        ["run", "circuit", "--keep-score", "0.5", "--draws", "1", "--out", "circuit.json"],
    ],
    "match": [["run", "other"]],
    "ingest": [["run", "--store", "graph.kgl"]],
    "report": [["run", "--out", "page.html"]],
    "basis": [["run", "--out", "saes"]],
}  # fmt: skip
ELSEWHERE = {
    "demo", "train", "layers", "runs", "features", "interactions", "unusual", "paths", "circuit",
    "circuits", "communities", "compare", "reproduce", "queries", "query", "cypher", "export",
    "plot", "delete", "upgrade", "compact", "serve", "doctor",
}  # fmt: skip


@pytest.mark.slow
def test_every_verb_writes_what_is_registered_and_nothing_else(tmp_path, monkeypatch):
    assert {*IN_A_FOLDER, *ELSEWHERE} == set(VERBS)
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NETWORK)
    layers = ["--layers", "input=0:in,hidden=2:in,output", "-q"]
    assert command("build", "net.py:make_model", "--out", "other", "--basis", "pca", *layers) == 0
    for verb, calls in IN_A_FOLDER.items():
        for arguments in calls:
            more = layers if verb == "build" else ["-q"]
            assert command(verb, *arguments, *more) == 0, (verb, arguments)
    # what `reproduce` keeps: tests/queries/comparing/test_language_models.py
    every = {kept.pattern for kept in KEPT if kept.verb.split()[0] in IN_A_FOLDER}
    found = set()
    for folder in ("run", "other", "trace"):
        run = Run.open(folder)
        for path in Path(folder).iterdir():
            if path.name != ".lock":
                kept = kept_as(path)
                found.add(kept.pattern)
                assert (kept.pattern in run.manifest.files) == kept.vouched
                if kept.of:
                    assert checked_origin(run, path)
    assert found == every
