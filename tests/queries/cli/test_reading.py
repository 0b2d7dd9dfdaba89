"""The verbs print what the library answers, in every output, and fail with the right exit code."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import ingest
import queries
from ingest.store import GraphStore
from lib_graph.run import Run
from tests.loaded import load_once
from tests.queries.conftest import Answer
from tests.synthetic import random_run

Cli = Callable[..., Answer]

# arguments of a verb, and the call that they stand for
VERBS: dict[str, tuple[list[str], Callable[[queries.Graph], Any]]] = {
    "runs": (["runs"], lambda graph: graph.runs()),
    "features": (
        ["features", "--layer", "layer/1", "--sort", "importance"],
        lambda graph: graph.features(layer="layer/1", sort="importance"),
    ),
    "interactions": (
        ["interactions", "--source", "layer/1", "--target", "layer.2/1", "--min-strength", "0.1",
         "-n", "3", "--constants"],
        lambda graph: graph.interactions(
            source="layer/1", target="layer.2/1", min_strength=0.1, limit=3, constants=True
        ),
    ),
    "paths": (
        ["paths", "--source", "layer.0", "--target", "layer/3/1", "-k", "4",
         "--min-importance", "0.01"],
        lambda graph: graph.paths(
            source="layer.0", target="layer/3/1", k=4, min_importance=0.01
        ),
    ),
    "circuit": (
        ["circuit", "--target", "layer/3/1", "--source", "layer/1", "--min-share", "0.1"],
        lambda graph: graph.circuit(source="layer/1", target="layer/3/1", min_share=0.1),
    ),
    "communities": (
        ["communities", "--method", "louvain", "--resolution", "1.5", "--seed", "3"],
        lambda graph: graph.communities(method="louvain", resolution=1.5, seed=3, null=10),
    ),
    "cypher": (
        ["cypher", "MATCH (f:Feature {run: $run, role: $role}) RETURN f.id AS id ORDER BY id",
         "--param", "role=constant"],
        lambda graph: graph.cypher(
            "MATCH (f:Feature {run: $run, role: $role}) RETURN f.id AS id ORDER BY id",
            {"role": "constant"},
        ),
    ),
}  # fmt: skip
NAMING_EACH = ("features", "interactions", "paths")
"""Verbs whose rows each name their run, which the others name once, or leave to the text"""


@pytest.fixture
def run(store: GraphStore, tmp_path: Path) -> Run:
    run = random_run(tmp_path / "run", density=1.0)
    load_once(store, run)
    return run


@pytest.fixture(params=VERBS)
def verb(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_verb_prints_what_the_library_answers(
    run: Run, store: GraphStore, store_target: str, cli: Cli, tmp_path: Path, verb: str
) -> None:
    arguments, ask = VERBS[verb]
    answer = ask(queries.open_graph(store))
    frame, value = answer.to_pandas(), json.loads(json.dumps(answer.json_value()))
    assert len(frame)
    if verb in NAMING_EACH:
        value = [{"run": run.id, **row} for row in value]
        frame.insert(0, "run", run.id)
    arguments = [*arguments, "--store", store_target]

    as_json = cli(*arguments, "--json")
    assert json.loads(as_json.out) == value
    assert (f"Run {run.id} (synthetic)\n" in as_json.err) == (verb != "runs")
    as_csv = list(csv.DictReader(io.StringIO(cli(*arguments, "--csv").out)))
    assert [list(row) for row in as_csv] == [list(frame.columns)] * len(frame)
    as_parquet = cli(*arguments, "--parquet", tmp_path / "rows.parquet")
    assert (as_parquet.code, as_parquet.out) == (0, "")
    read = pd.read_parquet(tmp_path / "rows.parquet")
    assert [list(read), len(read)] == [list(frame), len(frame)]

    table = cli(*arguments)
    assert table.code == 0
    for cell in _cells(verb, frame):
        assert cell in table.out

    shown = cli(*arguments, "--show-cypher", "--json")
    assert shown.out == as_json.out
    for statement in answer.statements:
        assert statement.for_browser() in shown.err


def _cells(verb: str, frame: pd.DataFrame) -> list[str]:
    """Return what a person must see in the table."""
    if verb == "paths":
        return [feature.partition("/")[2] for path in frame["path"] for feature in path]
    if verb == "communities":
        return [str(size) for size in frame["size"]]
    if verb in ("interactions", "circuit"):
        return [end.partition("/")[2] for end in (*frame["source"], *frame["target"])]
    if verb == "features":
        return [feature.partition("/")[2] for feature in frame["id"]]
    return list(frame["id"])


@pytest.mark.slow
def test_a_run_is_chosen_with_run(
    run: Run, store: GraphStore, store_target: str, cli: Cli, tmp_path: Path
) -> None:
    other = random_run(tmp_path / "other", (2, 2), seed=7, name="other")
    ingest.load(other, store)
    newest = json.loads(cli("features", "--store", store_target, "--json").out)
    assert {row["id"][:12] for row in newest} == {other.id}
    chosen = cli("features", "--store", store_target, "--json", "--run", run.id[:5])
    assert {row["id"][:12] for row in json.loads(chosen.out)} == {run.id}


def test_communities_are_stored_only_if_asked(
    run: Run, store: GraphStore, store_target: str, cli: Cli
) -> None:
    count = "MATCH (c:Community) RETURN count(*) AS n"
    found = json.loads(cli("communities", "--store", store_target, "--json").out)
    assert store.execute(count) == [{"n": 0}]
    written = cli("communities", "--store", store_target, "--write")
    assert store.execute(count) == [{"n": len(found["communities"])}]
    assert f"Stored {len(found['communities'])} modules" in written.err


def test_cypher_writes_only_if_asked(
    run: Run, store: GraphStore, store_target: str, cli: Cli
) -> None:
    text = "MATCH (r:Run {id: $run}) SET r.name = $name RETURN r.name AS name"
    arguments = ("cypher", text, "--param", "name=new", "--store", store_target, "--json")
    refused = cli(*arguments)
    assert (refused.code, refused.out) == (1, "")
    assert "--write" in refused.err
    assert store.execute("MATCH (r:Run) RETURN r.name AS name") == [{"name": "synthetic"}]
    done = cli(*arguments, "--write")
    assert json.loads(done.out) == [{"name": "new"}]
    assert "Changed: " in done.err
    assert store.execute("MATCH (r:Run) RETURN r.name AS name") == [{"name": "new"}]


def test_parameters_are_json_or_strings(run: Run, store_target: str, cli: Cli) -> None:
    pairs = ["--param", 'a=[1, "x"]', "--param", "b=ln1.0", "--param", "c=", "--param", "run=3"]
    text = "RETURN $a AS a, $b AS b, $c AS c, $run AS run"
    rows = json.loads(cli("cypher", text, *pairs, "--store", store_target, "--json").out)
    assert rows == [{"a": [1, "x"], "b": "ln1.0", "c": "", "run": 3}]


def test_delete_asks_first(
    run: Run, store: GraphStore, store_target: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for answer, code in (("n\n", 1), ("", 2)):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        assert cli("delete", run.id, "--store", store_target).code == code
        assert queries.open_graph(store).run.id == run.id
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert cli("delete", run.id[:6], "--store", store_target).code == 0
    assert store.execute("MATCH (n) WHERE n.run = $run RETURN n.id AS id", {"run": run.id}) == []


def test_an_unfinished_run_can_be_seen_and_deleted(
    run: Run, store: GraphStore, store_target: str, cli: Cli
) -> None:
    store.write("MATCH (r:Run) SET r.status = 'loading'")
    assert json.loads(cli("runs", "--store", store_target, "--json").out) == []
    listed = json.loads(cli("runs", "--store", store_target, "--all", "--json").out)
    assert [(row["id"], row["status"]) for row in listed] == [(run.id, "loading")]
    assert cli("delete", run.id, "--yes", "-q", "--store", store_target).code == 0
    assert json.loads(cli("runs", "--store", store_target, "--all", "--json").out) == []


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["paths", "--target", "layr/3"], 2, "Closest: 'layer/3'"),
        (["paths", "--target", "layer/3/99"], 2, "Feature 'layer/3/99' not found"),
        (["features", "--layer", "nowhere"], 2, "Layer 'nowhere' not found"),
        (["features", "--run", "syntetic"], 2, "Closest: 'synthetic'"),
        (["circuit"], 2, "--target"),
        (["communities", "--weights", "log"], 2, "need the smallest edge"),
        (["paths", "--json", "--csv"], 2, "exclude each other"),
        (["cypher", "RETURN $k AS k", "--param", "k"], 2, "NAME=VALUE"),
        (["cypher", "RETRUN 1 AS k"], 1, "RETRUN"),
        (["export", "circuit", "--format", "json"], 2, "--target LAYER/INDEX"),
        (["plot", "picture.bmp"], 2, ".png, .svg or .pdf"),
        (["delete", "nothing", "--yes"], 2, "Run 'nothing' not found"),
    ],
)
def test_a_mistake_is_one_clear_line(
    run: Run, store_target: str, cli: Cli, arguments: list[str], code: int, says: str
) -> None:
    answer = cli(*arguments, "--store", store_target)
    assert (answer.code, answer.out) == (code, "")
    assert says in answer.err
    assert len(answer.err.strip().splitlines()) <= (4 if "Usage:" in answer.err else 1)


def test_a_store_that_is_not_there_is_exit_code_3(cli: Cli, tmp_path: Path) -> None:
    for arguments in (["runs"], ["paths"], ["cypher", "RETURN 1 AS n"], ["delete", "a", "--yes"]):
        answer = cli(*arguments, "--store", tmp_path / "none.kgl")
        assert answer.code == 3
        assert "lib-graph ingest" in answer.err
    assert not (tmp_path / "none.kgl").exists()


@pytest.mark.parametrize(
    "name", ["runs", "features", "interactions", "paths", "circuit", "communities", "cypher",
             "export", "plot", "delete", "circuits", "queries", "query", "compare",
             "unusual", "feature", "examples", "trace"]
)  # fmt: skip
def test_help_has_an_example(cli: Cli, name: str) -> None:
    answer = cli(name, "--help")
    assert answer.code == 0
    assert f"lib-graph {name}" in answer.out.partition("Options:")[0].partition("\n\n")[2]


def test_cypher_has_limits_for_reading(cli: Callable[..., Answer], tmp_path: Path) -> None:
    ingest.load(random_run(tmp_path / "run", (3, 2)), tmp_path / "graph.kgl")
    text, store = "UNWIND range(1, 9) AS n RETURN n", ("--store", tmp_path / "graph.kgl")
    shown = cli("cypher", text, *store, "-n", 2, "--timeout", 60, "--json")
    assert json.loads(shown.out) == [{"n": 1}, {"n": 2}]
    for wrong in (("--limit", 1), ("--timeout", 1)):
        refused = cli("cypher", text, *store, "--write", *wrong)
        assert (refused.code, refused.out) == (2, "")
        assert "for texts that only read" in refused.err
