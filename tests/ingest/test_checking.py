"""Tables that break a rule: one line with file, section, row and rule, and nothing is loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import ingest
from ingest.store import open_store
from lib_graph.errors import RunError
from lib_graph.run import Run
from lib_graph.run.schema import INTERACTIONS
from lib_graph.run.writing import write_features, write_rows
from lib_graph.support.files import file_sha256
from tests.ingest.graphs import dump
from tests.synthetic import random_run

Change = Callable[[pd.DataFrame], Any]
ROW = 7
SHARE = "a share that is not its strength over the sum"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run whose second section has ten rows, from layer/1/0 > layer.2/1 on."""
    return random_run(tmp_path / "run", (3, 3, 2), density=1.0, seed=1)


def second(column: str, value: object, row: int = ROW) -> Change:
    """Change one row, counted from 1, of the second section; all have 12 and 8."""

    def change(table: pd.DataFrame) -> None:
        table.loc[12 + row - 1, column] = value

    return change


def everywhere(column: str, value: object) -> Change:
    return lambda table: table.__setitem__(column, value)


def written(run: Run, change: Change) -> Run:
    """Write the interactions again, changed, whatever they are now."""
    table = run.interactions
    change(table)
    name = "interactions.parquet"
    layers = run.interactions.source_layer
    sections = [rows for _, rows in table.groupby(layers, sort=False)]
    write_rows(run.path / name, INTERACTIONS, sections, {})
    return vouched(run, name)


def vouched(run: Run, name: str) -> Run:
    """Let the manifest name what the file is now."""
    manifest = json.loads((run.path / "manifest.json").read_text())
    manifest["files"][name] = file_sha256(run.path / name)
    (run.path / "manifest.json").write_text(json.dumps(manifest))
    return Run.open(run.path)


def refused(run: Run, tmp_path: Path) -> str:
    """The line with which a run is refused, after which the store holds nothing."""
    with open_store(tmp_path / "graph.kgl") as store:
        store.ensure_schema()
        with pytest.raises(RunError) as caught:
            ingest.load(run, store)
        assert dump(store) == ([], [])
    line = str(caught.value)
    assert "\n" not in line
    assert line.endswith("Build the run again with --replace.")
    return line


@pytest.mark.parametrize(
    ("change", "row", "rule"),
    [
        (second("run", "0123456789ab"), 7, "a run that is not the manifest's"),
        (second("source_layer", "no layer"), 7, "a source in another layer"),
        (second("target_layer", "layer.0"), 7, "a target outside the next layer, 'layer.2'"),
        (second("source", 9), 7, "a source that is no feature of the run"),
        (second("source", -1), 7, "a source that is no feature of the run"),
        (second("target", 77), 7, "a target that is no feature of the run"),
        (second("source", 1, row=1), 3, "a source and a target that are there before"),
        (second("strength", -1.0), 7, "a strength that is not a positive number"),
        (second("strength", 0.0), 7, "a strength that is not a positive number"),
        (second("strength", np.inf), 7, "a strength that is not a positive number"),
        (second("strength", np.nan), 7, "a strength that is not a positive number"),
        (second("stderr", np.inf), 7, "a stderr that is negative or infinite"),
        (second("stderr", -0.1), 7, "a stderr that is negative or infinite"),
        (second("stderr", np.nan), 7, "a stderr that is missing, and others have one"),
        (second("effect", -np.inf), 7, "an effect that is infinite"),
        (second("effect", np.nan), 7, "an effect that is missing, and others have one"),
        (second("share", 0.5, row=2), 2, "a share, though its source is constant"),
        (second("share", np.nan), 7, SHARE),
        (second("share", 1.5), 7, SHARE),
        (second("share", -0.1), 7, SHARE),
        (lambda t: second("share", t.share[18] * (1 + 1e-6))(t), 7, SHARE),
        (lambda t: second("strength", t.strength[18] * 2)(t), 3, SHARE),
    ],
)  # fmt: skip
def test_a_row_that_breaks_a_rule(
    run: Run, tmp_path: Path, change: Change, row: int, rule: str
) -> None:
    line = refused(written(run, change), tmp_path)
    file = str(run.path / "interactions.parquet")
    assert line.startswith(f"{file!r}, section from 'layer/1', row {row} (")
    assert f"), has {rule}" in line


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (everywhere("strength", 1.7e308), "a strength with which the sum of all is beyond 1e308"),
        (everywhere("share", 1.0), "a share, though its source is constant"),
        (everywhere("run", "0123456789ab"), "a run that is not the manifest's"),
    ],
)  # fmt: skip
def test_a_table_that_breaks_a_rule_from_its_first_row(
    run: Run, tmp_path: Path, change: Change, rule: str
) -> None:
    line = refused(written(run, change), tmp_path)
    assert f"section from 'layer.0', row 1 (layer.0/0 > layer/1/1), has {rule}. Build" in line


def test_the_sum_over_sections_counts(run: Run, tmp_path: Path) -> None:
    """Each section alone is well below what a number can hold."""

    def change(table: pd.DataFrame) -> None:
        sums = table.groupby("source_layer").strength.transform("sum")
        table["strength"] *= 0.8e308 / sums

    assert "section from 'layer/1'" in refused(written(run, change), tmp_path)


@pytest.mark.parametrize("column", ["stderr", "effect"])
def test_a_run_of_one_sample_has_no_errors(run: Run, tmp_path: Path, column: str) -> None:
    lonely = written(run, everywhere(column, np.nan))
    assert ingest.load(lonely, tmp_path / "graph.kgl").outcome == "loaded"


def test_rounding_is_no_contradiction(run: Run, tmp_path: Path) -> None:
    rounded = written(run, lambda t: t.__setitem__("share", t.share * (1 + 1e-14)))
    assert ingest.load(rounded, tmp_path / "graph.kgl").outcome == "loaded"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (("run", "0123456789ab"), "a run that is not the manifest's"),
        (("index", 0), "an index that is there before or negative"),
        (("role", "gate"), "a role that is none of feature, constant"),
        (("importance", np.inf), "importance that is negative or infinite"),
        (("variance", -1.0), "variance that is negative or infinite"),
    ],
)
def test_a_feature_that_breaks_a_rule(
    run: Run, tmp_path: Path, change: tuple[str, object], rule: str
) -> None:
    features = run.features
    features.loc[2, change[0]] = change[1]
    write_features(run.path / "features.parquet", features, {})
    line = refused(vouched(run, "features.parquet"), tmp_path)
    assert f"features.parquet', row 3 (layer.0/{features['index'][2]}), has {rule}" in line


def test_a_feature_under_another_layers_name(run: Run, tmp_path: Path) -> None:
    features = run.features
    features.loc[2, "layer"] = "layer/1"
    write_features(run.path / "features.parquet", features, {})
    line = refused(vouched(run, "features.parquet"), tmp_path)
    assert f"row 3 (layer/1/{features['index'][2]}), has a layer_index that is not its" in line


def test_rows_of_no_layer_are_not_left_out_in_silence(run: Run, tmp_path: Path) -> None:
    lost = written(run, lambda t: t.__setitem__("source_layer", t.source_layer + "."))
    assert "has 20 rows whose source is in no layer of the run but the last" in refused(
        lost, tmp_path
    )


def test_other_columns(run: Run, tmp_path: Path) -> None:
    name = "interactions.parquet"
    table = pq.read_table(run.path / name)
    pq.write_table(table.drop_columns(["stderr"]), run.path / name)
    line = refused(vouched(run, name), tmp_path)
    assert f"{name}' has other columns than ['run', 'source_layer'," in line
