"""Every value of every feature is counted once, in its bin or beyond, whatever the batches."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lib_graph.analysis.examples import find_examples
from lib_graph.building import plan
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.dictionaries.bases_file import write_bases
from lib_graph.errors import RunError
from lib_graph.method.dictionary import Dictionary
from lib_graph.networks.subject import Subject
from lib_graph.run import Run
from lib_graph.run.histograms import BINS, HISTOGRAMS, NAME, read_histogram, write_histograms
from tests.lib_graph.nets import random_
from tests.synthetic import random_run

SAMPLES, POSITIONS = 37, 4


@pytest.fixture
def subject():
    """A linear map, of whose positions only some count; the others are huge.

    Of those that count one is beyond all bins.
    """
    x = torch.randn(SAMPLES, POSITIONS, 3, dtype=torch.float64)
    x[-1, 0] += 60.0
    counted = torch.arange(POSITIONS) < torch.arange(SAMPLES)[:, None] % (POSITIONS + 1)
    x[~counted] = 1e3
    module = random_(nn.Sequential(nn.Linear(3, 2)))
    return replace(Subject.of(module, x, ("x=0:in", "output")), counted=counted)


def truth(subject, activation=lambda x: x - x.mean(0)):
    """Return all values that count, by feature, as numpy has them."""
    x = subject.inputs[0].numpy()[subject.counted.numpy()]
    weight, bias = (each.detach().numpy() for each in subject.module[0].parameters())
    values = {("x", i + 1): column for i, column in enumerate(activation(x).T)}
    return {**values, **{("output", i): column for i, column in enumerate((x @ weight.T + bias).T)}}


def check(found, values):
    edges = found["start"] + found["width"] * np.arange(BINS + 1)
    inside = [int(((values >= a) & (values < b)).sum()) for a, b in zip(edges, edges[1:])]  # noqa: B905, RUF007
    assert list(found["counts"]) == inside
    assert found["below"] == (values < edges[0]).sum()
    assert found["above"] == (values >= edges[-1]).sum()
    assert found["width"] == pytest.approx(values.std() / 4)


@pytest.mark.slow
def test_all_values_that_count_are_counted(subject, tmp_path, monkeypatch):
    run = build(subject, tmp_path, Options(basis="neuron"))
    find_examples(run, subject, count=2)
    table = pd.read_parquet(tmp_path / NAME)
    values = truth(subject)
    assert [(row["layer"], row["index"]) for row in table.to_dict("records")] == list(values)
    for row in table.to_dict("records"):
        check(row, values[row["layer"], row["index"]])
        found = read_histogram(run, row["layer"], row["index"])
        assert found.total == int(subject.counted.sum())
        middle = found.start + found.width * BINS / 2
        if row["layer"] == "x":
            assert middle == pytest.approx(0)
        else:  # about the mean, of which positions that do not count are no part
            assert abs(middle - np.median(values["output", row["index"]])) < 8 * found.width
    assert table["above"].sum() + table["below"].sum() > 0
    assert read_histogram(run, "x", 0) is None
    monkeypatch.setattr(plan, "ROWS", 2 * POSITIONS)  # batches of two samples
    find_examples(run, subject, count=2, replace=True)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / NAME), table)


ONE_SIDED = {
    "relu": ({}, lambda x: x),
    "jumprelu": ({"threshold": torch.full((3,), 0.5)}, lambda x: np.where(x > 0.5, x, 0)),
    "topk": ({"k": 2}, lambda x: np.where(x >= np.sort(x)[:, 1:2], x, 0)),
    "groupmax": ({"k": 1}, lambda x: np.where(x == x.max(1, keepdims=True), x, 0)),
}
"""activation -> what it needs, and which values before it are kept if they are above 0"""


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("activation", ONE_SIDED)
def test_those_of_what_is_not_negative_begin_at_0(subject, tmp_path, activation):
    needed, kept = ONE_SIDED[activation]
    shape = torch.eye(3), -torch.ones(3), torch.eye(3), torch.ones(3)
    made = Dictionary(*shape, activation, **needed)
    write_bases(tmp_path / "file.safetensors", {"x": made}, {})
    run = build(subject, tmp_path / "run", Options(basis=tmp_path / "file.safetensors"), force=True)
    find_examples(run, subject, count=2)
    table = pd.read_parquet(run.path / NAME)
    values = truth(subject, lambda x: np.maximum(kept(x - 1), 0))
    for row in table.to_dict("records"):
        check(row, values[row["layer"], row["index"]])
        if row["layer"] == "x":
            assert (row["start"], row["below"]) == (0, 0)
            assert row["counts"][0] >= (values["x", row["index"]] == 0).sum() > 0


@pytest.mark.slow
def test_a_run_with_examples_alone_gets_them_by_the_same_command(subject, tmp_path):
    run = build(subject, tmp_path, Options(basis="pca"))
    before = find_examples(run, subject, count=2)
    table = pd.read_parquet(tmp_path / NAME)
    (tmp_path / NAME).unlink()
    assert read_histogram(Run.open(tmp_path), "x", 1) is None
    pd.testing.assert_frame_equal(find_examples(run, subject, count=2), before)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / NAME), table)


@pytest.mark.slow
def test_a_feature_that_never_changes_is_in_one_bin(tmp_path):
    x = torch.randn(9, 3, dtype=torch.float64)
    module = random_(nn.Sequential(nn.Linear(3, 2)))
    with torch.no_grad():
        module[0].weight[0] = 0
    subject = Subject.of(module, x, ("x=0:in", "output"))
    run = build(subject, tmp_path, Options(basis="neuron"))
    find_examples(run, subject, count=1)
    found = read_histogram(run, "output", 0)
    assert (found.width, max(found.counts), found.beyond) == (1, 9, 0)


def test_those_of_another_build_are_refused(tmp_path):
    run = random_run(tmp_path, (3, 2))
    write_histograms(run.path / NAME, [pd.DataFrame(columns=HISTOGRAMS.names)], {"run": "other"})
    with pytest.raises(RunError, match=r"Make it again with 'lib-graph examples .* --replace'"):
        read_histogram(run, "layer.0", 1)
