"""One feature of a run: what it is, what it interacts with, and its label."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from lib_graph.errors import NotFoundError, RunError, UsageError
from lib_graph.run import Run
from lib_graph.run.feature import find_feature, read_feature
from tests.synthetic import random_run


@pytest.fixture
def run(tmp_path):
    return random_run(tmp_path / "a" / "run", density=1.0)


def test_a_feature_is_found_by_its_folder(run):
    for layer, index in (("layer.0", 3), ("layer/1", 2)):
        found, *place = find_feature(f"{run.path}/{layer}/{index}")
        assert (found.id, *place) == (run.id, layer, index)


@pytest.mark.parametrize("text", ["{run}", "{run}/3", "{run}/layer.0", "{run}/layer.0/x"])
def test_what_is_no_feature_is_one_line(run, text):
    with pytest.raises(UsageError, match=r"is no feature. Write RUN/LAYER/INDEX"):
        find_feature(text.format(run=run.path))


def test_what_begins_with_no_run_folder_is_left_to_others():
    assert find_feature("nowhere/layer.0/1") is None


def test_strongest_inputs_and_outputs(run):
    found = read_feature(run, "layer/1", 2, limit=3)
    table = run.interactions
    into = table.query("target_layer == 'layer/1' and target == 2 and source > 0")
    out = table.query("source_layer == 'layer/1' and source == 2")
    for rows, truth, other in ((found.inputs, into, "source"), (found.outputs, out, "target")):
        truth = truth.nlargest(3, "strength")
        assert rows.strength.tolist() == truth.strength.tolist()
        assert rows[other].tolist() == truth[other].tolist()
    label = run.features.query("layer == 'layer.0'").set_index("index").label
    assert found.inputs.label.tolist() == label[found.inputs.source].tolist()


def test_importance_and_its_place(run):
    rows = run.features.query("layer == 'layer/1' and role == 'feature'")
    ranked = rows.sort_values("importance", ascending=False).to_dict("records")
    for place, row in enumerate(ranked, 1):
        found = read_feature(run, "layer/1", row["index"])
        assert found.rank == place
        assert found.share == pytest.approx(row["importance"] / rows.importance.sum())
    constant = read_feature(run, "layer/1", 0)
    assert (constant.importance, constant.share, constant.rank) == (None, None, None)
    assert constant.examples is None


def test_a_feature_that_is_not_there(run):
    with pytest.raises(NotFoundError, match=r"Layer 'layer\.1' not found"):
        read_feature(run, "layer.1", 1)
    with pytest.raises(NotFoundError, match=r"Feature 'layer\.0/99' not found"):
        read_feature(run, "layer.0", 99)


def test_a_written_label_wins_and_can_be_taken_away(run):
    before = run.features
    run.label("layer/1", 2, " mi\x1bne\n")
    run.label("layer.0", 1, "ours")
    changed = before.label.fillna("") != Run.open(run.path).features.label.fillna("")
    assert before[changed][["layer", "index"]].values.tolist() == [["layer.0", 1], ["layer/1", 2]]
    assert run.feature("layer/1", 2).label == "mine"
    assert np.isnan(run.feature("layer/1", 2).label_score)
    assert Run.open(run.path).manifest == run.manifest
    run.label("layer/1", 2, "")
    run.label("layer.0", 1, "")
    pd.testing.assert_frame_equal(Run.open(run.path).features, before)
    with pytest.raises(NotFoundError):
        run.label("layer.0", 99, "nobody")


def test_labels_of_another_run_in_the_folder_are_not_taken(run):
    labels = {"ffffffffffff/layer.0/1": "theirs", f"{run.id}/layer.0/2": "mine"}
    (run.path / "labels.json").write_text(json.dumps(labels))
    assert run.feature("layer.0", 2).label == "mine"
    assert run.feature("layer.0", 1).label != "theirs"
    run.label("layer.0", 1, "ours")
    assert json.loads((run.path / "labels.json").read_text()) == {
        **labels,
        f"{run.id}/layer.0/1": "ours",
    }


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}'])
def test_broken_labels_are_one_line(run, text):
    (run.path / "labels.json").write_text(text)
    with pytest.raises(RunError, match=r"labels.json.*Correct it"):
        _ = run.features
