"""Interactions of some features, from some samples, to some precision."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from lib_graph.building import frames, plan
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.errors import UsageError
from lib_graph.method.basis import RawBasis
from lib_graph.method.dictionary import most_important
from lib_graph.networks.subject import Subject
from lib_graph.run import Run
from tests.lib_graph.building.test_resuming import subject
from tests.lib_graph.nets import random_, random_basis

KEYS = ["source_layer", "source", "target"]


def linear_subject(samples=4000):
    module = random_(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)))
    x = torch.randn(samples, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    layers = {"x": "0:in", "h": "1:in", "out": "output"}
    return Subject("linear", "tests", module, (x,), "random", layers)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return build(subject(), tmp_path_factory.mktemp("whole"))


def same_where_both(run, whole):
    """Assert that the interactions of a run are those of another, and return both's rows."""
    rows, all_rows = (r.interactions.set_index(KEYS).sort_index() for r in (run, whole))
    both = all_rows.loc[rows.index]
    for column in ("strength", "stderr", "effect"):
        assert np.allclose(rows[column], both[column], rtol=1e-9)
    return rows, all_rows


def important(run, layer, count):
    features = run.features[(run.features.layer == layer) & (run.features.role == "feature")]
    return set(features.nlargest(count, "importance")["index"])


@pytest.mark.slow
def test_among_the_top_of_each_layer(whole, tmp_path):
    run = build(subject(), tmp_path, Options(top=2))
    rows, _ = same_where_both(run, whole)
    for name in "abcd":
        sources = set(rows.loc[name].index.get_level_values("source"))
        assert sources == {0} | important(whole, name, 2)
    assert set(rows.loc["c"].index.get_level_values("target")) == important(whole, "d", 2)
    assert len(rows.loc["d"]) == 3 * 3  # all outputs
    assert run.features.equals(whole.features.assign(run=run.id))
    shares = rows.drop(index=0, level="source").groupby(["source_layer", "target"]).share.sum()
    assert np.allclose(shares, 1)


@pytest.mark.slow
def test_among_features_above_a_share_of_the_largest_importance(whole, tmp_path):
    features = whole.features[whole.features.role == "feature"]
    relative = features.importance / features.groupby("layer").importance.transform("max")
    above = features[relative >= 0.1]
    assert 0 < len(above) < len(features)
    run = build(subject(), tmp_path, Options(min_importance=0.1))
    rows, _ = same_where_both(run, whole)
    for name in "abcd":
        sources = set(rows.loc[name].index.get_level_values("source")) - {0}
        assert sources == set(above[above.layer == name]["index"])
        everything, kept = (x[x.layer == name].importance.sum() for x in (features, above))
        left_out = run.manifest.checks.get(f"importance_left_out.{name}", 0.0)
        assert left_out == pytest.approx((everything - kept) / everything, abs=1e-12)
    assert any("importance_left_out" in name for name in run.manifest.checks)
    assert not any("importance_left_out" in name for name in whole.manifest.checks)


def test_importance_decides_and_not_the_order():
    basis = dataclasses.replace(
        random_basis(5, 5), importance=torch.tensor([0.1, 3.0, 0.2, 5.0, 1.0])
    )
    assert most_important(basis).tolist() == [0, 1, 2, 3, 4]
    assert most_important(basis, top=2).tolist() == [1, 3]
    assert most_important(basis, top=9).tolist() == [0, 1, 2, 3, 4]
    assert most_important(basis, min_importance=0.2).tolist() == [1, 3, 4]
    assert most_important(basis, top=2, min_importance=0.9).tolist() == [3]
    assert most_important(RawBasis(3), top=1).tolist() == [0, 1, 2]


@pytest.mark.slow
def test_a_section_in_several_row_groups_is_the_same(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(frames, "ROWS", 10)
    run = build(subject(), tmp_path)
    assert run.interactions.equals(whole.interactions)
    sections = zip(run.sections(), whole.sections(), strict=True)
    assert all(one.equals(other) for one, other in sections)


@pytest.mark.slow
def test_from_some_samples(tmp_path):
    run = build(linear_subject(), tmp_path / "some", Options(edge_samples=300))
    again = build(linear_subject(), tmp_path / "again", Options(edge_samples=300))
    whole = build(linear_subject(), tmp_path / "whole")
    assert run.manifest.files == again.manifest.files
    assert run.manifest.checks["edge_samples.x"] == 300
    assert whole.manifest.checks["edge_samples.x"] == 4000
    assert run.features.importance.equals(whole.features.importance)
    rows, truth = (r.interactions.set_index(KEYS) for r in (run, whole))
    others = rows.index.get_level_values("source") > 0
    deviation = ((rows.strength - truth.strength) / rows.stderr)[others]
    assert 0.01 < deviation.abs().max() < 4.5


@pytest.mark.slow
@pytest.mark.parametrize("target", [0.2, 0.05])
def test_until_they_are_known_well_enough(target, tmp_path):
    """A linear map of normal inputs: the relative standard error after n samples is √(2/n)."""
    run = build(linear_subject(), tmp_path, Options(target_error=target))
    needed = 2 / target**2
    for name in "xh":
        samples = run.manifest.checks[f"edge_samples.{name}"]
        assert needed / 2 < samples < needed * 3
        assert samples % 32 == 0
        assert run.manifest.checks[f"edge_error.{name}"] <= target
        rows = next(r for r in run.sections() if r.source_layer.iloc[0] == name)
        carrying = rows[rows.share > 0.05]
        assert (carrying.stderr / carrying.strength).max() <= target


@pytest.mark.slow
def test_the_samples_taken_do_not_depend_on_memory(tmp_path, monkeypatch):
    options = Options(target_error=0.1)
    first = build(linear_subject(), tmp_path / "first", options)
    monkeypatch.setattr(plan, "ROWS", 8)
    second = build(linear_subject(), tmp_path / "second", options)
    for name in ("edge_samples.x", "edge_samples.h"):
        assert first.manifest.checks[name] == second.manifest.checks[name] < 4000
    rows, others = (
        run.interactions[run.interactions.source > 0].reset_index() for run in (first, second)
    )
    assert np.allclose(rows.strength, others.strength, rtol=1e-9)


class Lines:
    """Progress that keeps what is said."""

    def __init__(self):
        self.said = []

    def stage(self, name, total):
        from lib_graph.support.progress import SILENT

        return SILENT.stage(name, total)

    def say(self, line):
        self.said.append(line)


@pytest.mark.slow
def test_a_target_that_the_data_cannot_reach_is_said(tmp_path):
    progress = Lines()
    run = build(linear_subject(50), tmp_path, Options(target_error=1e-3), progress=progress)
    assert run.manifest.checks["edge_error.x"] > 1e-3
    (line,) = (line for line in progress.said if line.startswith("interactions of x"))
    assert "all 50 samples" in line
    assert "not 0.001" in line


@pytest.mark.parametrize("share", [0.0, 2.0])
def test_a_share_that_cannot_be_used(share):
    with pytest.raises(UsageError, match=f"min_importance is {share}"):
        Options(min_importance=share)


@pytest.mark.slow
def test_a_run_of_some_interactions_opens(tmp_path):
    run = build(subject(), tmp_path, Options(top=1, edge_samples=10))
    assert Run.open(tmp_path).manifest == run.manifest
