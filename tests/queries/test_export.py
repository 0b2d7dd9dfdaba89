from __future__ import annotations

import io
import json
from pathlib import Path

import networkx as nx
import pandas as pd
import pytest

import ingest
import queries
from ingest.store import GraphStore
from lib_graph.run import Run
from lib_graph.run.circuit import INTERACTION_COLUMNS
from lib_graph.support.tables import records_of, write_csv, write_json_rows, write_parquet
from tests.loaded import load_once
from tests.queries.cli.test_reading import Cli
from tests.synthetic import random_run


@pytest.fixture
def run(store: GraphStore, tmp_path: Path) -> Run:
    run = random_run(tmp_path / "run")
    load_once(store, run)
    return run


def rows(path: Path) -> pd.DataFrame:
    readers = {
        ".parquet": pd.read_parquet,
        ".csv": lambda path: pd.read_csv(path, keep_default_na=False, na_values={"share": [""]}),
        ".json": lambda path: pd.DataFrame(json.loads(path.read_text())),
    }
    return readers[path.suffix](path)


@pytest.mark.parametrize("format", ["parquet", "csv", "json"])
@pytest.mark.parametrize("what", ["features", "interactions", "circuit"])
def test_rows_come_back_as_they_are_in_the_store(
    run: Run, store: GraphStore, store_target: str, cli: Cli, tmp_path: Path, what: str, format: str
) -> None:
    graph = queries.open_graph(store)
    out = tmp_path / f"{what}.{format}"
    circuit = graph.circuit(target="layer/3", min_share=0.1)
    expected = {
        "features": graph.features().frame,
        "interactions": pd.concat([table.frame for table in graph.sections()], ignore_index=True),
        "circuit": circuit.interactions,
    }[what]
    arguments = ["--target", "layer/3", "--min-share", 0.1] if what == "circuit" else []
    answer = cli(
        "export", what, "--format", format, "--out", out, "--store", store_target, *arguments
    )
    assert (answer.code, answer.out) == (0, "")
    if (what, format) == ("circuit", "json"):
        assert json.loads(out.read_text()) == circuit.json_value()
        return
    found = rows(out)
    assert list(found.columns) == list(expected.columns)
    for name in expected:
        if expected[name].dtype.kind == "f":
            left = pd.to_numeric(found[name]).astype(float)
            pd.testing.assert_series_equal(left, expected[name], rtol=1e-15)
        else:
            assert list(found[name]) == list(expected[name])


@pytest.mark.parametrize("what", ["features", "interactions", "circuit"])
def test_graphml_is_the_graph(
    run: Run, store: GraphStore, store_target: str, cli: Cli, tmp_path: Path, what: str
) -> None:
    out = tmp_path / "graph.graphml"
    cli("export", what, "--format", "graphml", "--out", out, "--target", "layer/3",
        "--store", store_target)  # fmt: skip
    found = nx.read_graphml(out)
    graph = queries.open_graph(store)
    features = records_of(graph.features().frame)
    if what == "circuit":
        circuit = graph.circuit(target="layer/3")
        features, edges = records_of(circuit.features), circuit.records()
    else:
        sections = [table.records() for table in graph.sections()]
        edges = [row for section in sections for row in section] if what == "interactions" else []
    assert set(found.nodes) == {row["id"] for row in features}
    assert set(found.edges) == {(row["source"], row["target"]) for row in edges}
    for row in features:
        assert found.nodes[row["id"]]["layer"] == row["layer"]
        assert found.nodes[row["id"]].get("importance") == row["importance"]
    for row in edges:
        assert found.edges[row["source"], row["target"]]["strength"] == row["strength"]


def test_interactions_may_be_the_strong_ones_only(
    run: Run, store_target: str, cli: Cli, tmp_path: Path
) -> None:
    out = tmp_path / "strong.parquet"
    cli("export", "interactions", "--format", "parquet", "--out", out, "--min-strength", 1.5,
        "--store", store_target)  # fmt: skip
    strength = run.interactions["strength"]
    assert sorted(pd.read_parquet(out)["strength"]) == sorted(strength[strength >= 1.5])


def test_a_run_without_interactions_is_an_empty_table_with_columns(
    store: GraphStore, store_target: str, cli: Cli, tmp_path: Path
) -> None:
    ingest.load(random_run(tmp_path / "run", (2, 2, 2), density=0.0), store)
    for format in ("parquet", "csv"):
        out = tmp_path / f"none.{format}"
        cli("export", "interactions", "--format", format, "--out", out, "--store", store_target)
        found = rows(out)
        assert tuple(found.columns) == INTERACTION_COLUMNS
        assert len(found) == 0


def test_without_a_file_rows_go_to_stdout(run: Run, store_target: str, cli: Cli) -> None:
    answer = cli("export", "features", "--format", "csv", "--store", store_target)
    assert len(pd.read_csv(io.StringIO(answer.out))) == len(run.features)


def test_an_export_that_fails_leaves_the_file_as_it_was(
    run: Run, store_target: str, cli: Cli, tmp_path: Path
) -> None:
    out = tmp_path / "circuit.json"
    out.write_text("before")
    answer = cli("export", "circuit", "--target", "layer/3", "--min-share", 7, "--format", "json",
                 "--out", out, "--store", store_target)  # fmt: skip
    assert answer.code == 2
    assert out.read_text() == "before"
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_frames_with_the_same_columns_are_one_file() -> None:
    parts = [
        pd.DataFrame({"id": ["a", "b"], "share": [0.25, None], "path": [["x"], ["y", "z"]]}),
        pd.DataFrame({"id": ["c"], "share": [1e-300], "path": [[]]}),
    ]
    expected = [record for part in parts for record in records_of(part)]
    text = io.StringIO()
    write_json_rows(parts, text)
    assert json.loads(text.getvalue()) == expected
    text = io.StringIO()
    write_csv(parts, text)
    assert text.getvalue().splitlines() == [
        "id,share,path", 'a,0.25,"[""x""]"', 'b,,"[""y"", ""z""]"', "c,1e-300,[]",
    ]  # fmt: skip
    file = io.BytesIO()
    write_parquet(parts, file)
    found = pd.read_parquet(io.BytesIO(file.getvalue()))
    assert list(found["id"]) == ["a", "b", "c"]
    assert [list(path) for path in found["path"]] == [["x"], ["y", "z"], []]
