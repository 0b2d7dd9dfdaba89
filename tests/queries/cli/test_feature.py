"""`lib-graph feature`: what it prints, labels and draws."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import ingest
import queries
from lib_graph.run import Run
from lib_graph.run.examples import write_examples
from lib_graph.run.histograms import NAME, write_histograms
from lib_graph.run.kept import graph_of
from tests.queries.conftest import Answer
from tests.synthetic import random_run

Cli = Callable[..., Answer]
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = random_run(tmp_path / "my run", density=1.0)
    rows = pd.DataFrame(
        {
            "run": run.id, "layer": "layer/1", "index": 2, "rank": [1, 2, -1],
            "sample": [7, 3, 5], "position": [2, 0, 1], "value": [4.5, 4.0, -3.25],
            "text": ["a «b»", "«c» d", "e\n«f»"], "image": [PIXEL, PIXEL, None],
        }
    )  # fmt: skip
    origin = graph_of(run, "run", "bases")
    write_examples(run.path / "examples.parquet", [rows], origin)
    return run


def test_it_prints_examples_inputs_and_outputs(run: Run, cli: Cli) -> None:
    answer = cli("feature", f"{run.path}/layer/1/2", "-n", "2")
    lines = answer.out.splitlines()
    assert lines[0].startswith(f"layer/1/2 of run {run.id}: feature, label label 1 (score 0.")
    assert "in its layer" in lines[0]
    assert [line.split() for line in lines[1:5]] == [
        ["value", "sample", "position", "text"],
        ["4.5", "7", "2", "a", "«b»"],
        ["4", "3", "0", "«c»", "d"],
        ["-3.25", "5", "1", "e", "«f»"],
    ]
    assert lines[6] == "Strongest inputs:"
    assert lines[11] == "Strongest outputs:"
    assert len(lines) == 15


def counted(run: Run, **numbers: object) -> None:
    """Write the histogram of layer/1/2 into the run's folder."""
    row = {"run": run.id, "layer": "layer/1", "index": 2, "start": -1.5, "width": 0.25,
           "below": 0, "above": 3, "counts": [0, 2, 80] + [0] * 37 + [15], **numbers}  # fmt: skip
    write_histograms(run.path / NAME, [pd.DataFrame([row])], graph_of(run, "run", "bases"))


def test_values_are_a_line_of_bars(run: Run, cli: Cli) -> None:
    counted(run)
    place = f"{run.path}/layer/1/2"
    line = cli("feature", place).out.splitlines()[1]
    assert line == f"-1.5  ▁█{' ' * 37}▂ 8.75, 3 % beyond"
    found = json.loads(cli("feature", place, "--json").out)["histogram"]
    assert found["counts"] == [0, 2, 80] + [0] * 37 + [15]
    assert (found["below"], found["above"], found["beyond"]) == (0, 3, 3)
    other = cli("feature", f"{run.path}/layer/1/1")
    assert "beyond" not in other.out
    assert json.loads(cli("feature", f"{run.path}/layer/1/1", "--json").out)["histogram"] is None


def test_the_line_of_bars_fits_a_terminal(run: Run, cli: Cli) -> None:
    counted(run, start=-1.2345e-10, width=1.2345e-11, above=1, counts=[10**9] * 41)
    line = cli("feature", f"{run.path}/layer/1/2").out.splitlines()[1]
    assert line.startswith("-1.234e-10 ████")
    assert len(line) <= 80


def test_json(run: Run, cli: Cli) -> None:
    found = json.loads(cli("feature", f"{run.path}/layer/1/2", "--json").out)
    assert found["id"] == f"{run.id}/layer/1/2"
    assert [row["rank"] for row in found["examples"]] == [1, 2, -1]
    assert "image" not in found["examples"][0]
    assert found["inputs"][0]["source_layer"] == "layer.0"
    assert found["outputs"][0]["target_layer"] == "layer.2"
    assert json.loads(cli("feature", f"{run.path}/layer.0/0", "--json").out)["importance"] is None


def test_without_examples_it_says_how_to_get_them(run: Run, cli: Cli) -> None:
    (run.path / "examples.parquet").unlink()
    answer = cli("feature", f"{run.path}/layer/1/2")
    folder = shlex.quote(str(run.path))
    assert (
        f"lib-graph examples {folder}', then 'lib-graph feature {folder}/layer/1/2'." in answer.out
    )


@pytest.mark.slow
def test_a_label_reaches_the_folder_the_store_and_every_export(
    run: Run, cli: Cli, store_target: str, tmp_path: Path
) -> None:
    ingest.load(run, store_target)
    answer = cli("feature", f"{run.path}/layer/1/2", "--label", " mine ")
    assert ", label mine, importance" in answer.out
    assert f"'lib-graph ingest {shlex.quote(str(run.path))}'" in answer.err
    report = cli("ingest", run.path, "--store", store_target, "-q")
    assert report.out.startswith(f"Updated the labels of run {run.id}")
    with queries.open_graph(store_target) as graph:
        labels = graph.features(layer="layer/1").to_pandas().set_index("index").label
    assert labels[2] == "mine"
    for what, format in (("features", "csv"), ("interactions", "json"), ("circuit", "graphml")):
        end = ("--target", "layer.2/1", "--min-share", "0") if what == "circuit" else ()
        arguments = ("export", what, "--format", format, "--store", store_target, *end)
        out = tmp_path / f"{what}.{format}"
        assert cli(*arguments, "--out", out).code == 0
        assert "mine" in out.read_text()


def test_a_store_shows_the_same_feature_by_all_that_features_prints(
    run: Run, cli: Cli, tmp_path: Path
) -> None:
    other = random_run(tmp_path / "other", seed=5)
    store = str(tmp_path / "graph.kgl")
    for each in (run, other):
        ingest.load(each, store)
    expected = json.loads(cli("feature", f"{run.path}/layer/1/2", "--json").out)
    for name in ("examples", "label_score", "space"):  # of which a store knows nothing
        expected[name] = None
    id = f"{run.id}/layer/1/2"
    printed = json.loads(cli("features", "--run", run.id, "--store", store, "--json").out)
    assert id in [row["id"] for row in printed]
    for place in (id, "layer/1/2"):
        named = ("--run", run.id) if place != id else ()
        answer = cli("feature", place, "--store", store, *named, "--json")
        assert answer.err.startswith(f"Run {run.id} (")
        found = json.loads(answer.out)
        assert found == expected


def test_a_label_of_a_stores_feature_goes_to_the_store(run: Run, cli: Cli, tmp_path: Path) -> None:
    store = str(tmp_path / "graph.kgl")
    ingest.load(run, store)
    answer = cli("feature", f"{run.id}/layer/1/2", "--store", store, "--label", " mine ")
    assert ", label mine, importance" in answer.out
    assert f"Labelled layer/1/2 in {store}" in answer.err
    with queries.open_graph(store) as graph:
        assert graph.feature("layer/1/2").label == "mine"
    assert run.feature("layer/1", 2).label != "mine"


@pytest.mark.parametrize(
    ("place", "code", "says"),
    [
        ("layer/1/99", 2, "Feature 'layer/1/99' not found"),
        ("layer/1", 2, "is a layer. Write LAYER/INDEX"),
        ("layer", 2, "or an id, of a run in a store"),
    ],
)
def test_what_a_store_has_not_is_one_line(
    run: Run, cli: Cli, tmp_path: Path, place: str, code: int, says: str
) -> None:
    store = str(tmp_path / "graph.kgl")
    ingest.load(run, store)
    answer = cli("feature", place, "--store", store, "-q")
    assert (answer.code, answer.out) == (code, "")
    assert says in answer.err
    assert len(answer.err.strip().splitlines()) == 1


def test_where_there_is_neither_folder_nor_store_it_says_so(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LIB_GRAPH_STORE", raising=False)
    answer = cli("feature", "my-run/layer/1/2")
    assert answer.code == 3
    assert (
        "in no run folder here, and of the store: There is no store 'lib-graph.kgl'" in answer.err
    )


def test_images_are_drawn(run: Run, cli: Cli, tmp_path: Path) -> None:
    answer = cli("feature", f"{run.path}/layer/1/2", "--images", tmp_path / "images.png")
    assert "images.png: 2 images" in answer.err
    assert (tmp_path / "images.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["layer/1/99"], "Feature 'layer/1/99' not found"),
        (["layer.1/2"], "Layer 'layer.1' not found"),
        (["layer"], "is no feature. Write RUN/LAYER/INDEX"),
        (["layer/1/2", "-n", "0"], "Ask for at least 1"),
        (["layer/1/2", "--images", "x.bmp"], ".png, .svg or .pdf"),
        (["layer.0/1", "--images", "x.png"], "no examples that are images"),
    ],
)
def test_a_mistake_is_one_line(run: Run, cli: Cli, arguments: list[str], says: str) -> None:
    place, *options = arguments
    answer = cli("feature", f"{run.path}/{place}", *options)
    assert (answer.code, answer.out) == (2, "")
    assert says in answer.err
    assert len(answer.err.strip().splitlines()) == 1
