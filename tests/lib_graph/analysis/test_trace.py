"""Runs of one input: their mean is the run over all of the data."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import lib_graph
from lib_graph.analysis.trace import trace
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.data.notation import Sample
from lib_graph.errors import ConflictError, UsageError
from lib_graph.networks.checkpoint import save
from lib_graph.networks.subject import Subject
from lib_graph.run import Run
from queries.cli.main import main
from tests.lib_graph.nets import CONFIG, Skip, random_, transformer

KEYS = ["source_layer", "source", "target_layer", "target"]


def masked_subject(samples=4):
    """Positions that influence each other, some of which do not count."""
    module = random_(nn.Sequential(Skip(3), nn.Linear(3, 2)))
    x = torch.randn(samples, 3, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    counted = torch.arange(3) < torch.tensor([3, 2, 3, 1])[:samples, None]
    subject = Subject.of(module, x, ["x=0:in", "mid=1:in", "output"])
    return replace(subject, counted=counted)


@pytest.mark.slow
def test_the_mean_of_all_inputs_is_the_run(tmp_path):
    subject = masked_subject()
    run = build(subject, tmp_path / "run", Options(basis="neuron"))
    tables = []
    for index, counted in enumerate(subject.counted):
        found = trace(run, tmp_path / str(index), index, subject=subject)
        assert found.manifest.data.positions == int(counted.sum())
        assert found.interactions.stderr.isna().all()
        weight = int(counted.sum()) / int(subject.counted.sum())
        table = found.interactions.set_index(KEYS)
        tables.append(table[["strength", "effect"]] * weight)
    mean = pd.concat(tables).groupby(KEYS).sum()
    truth = run.interactions.set_index(KEYS)[["strength", "effect"]].sort_index()
    assert mean.index.equals(truth.index)
    assert np.allclose(mean, truth, rtol=1e-10, atol=1e-13 * truth.strength.max())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("single") / "model"
    save(folder, transformer().float(), CONFIG)
    return build(folder, folder.parent / "run", Options(basis="pca"), name="sums")


@pytest.mark.slow
def test_it_has_the_features_of_its_base(run, tmp_path):
    run.label("ln2.0", 1, "mine")
    subject = lib_graph.load_subject(run.manifest.model.source)
    a, b, _ = subject.inputs[0][3].tolist()
    by_text = trace(run, tmp_path / "text", f"{a} + {b}")
    by_index = trace(run, tmp_path / "index", 3)
    given = trace(run, tmp_path / "given", subject.sample(3), name="third")
    assert by_text.id == by_index.id == given.id != run.id
    names = [found.manifest.name for found in (by_text, by_index, given)]
    assert names == [f"sums@{a} + {b}", "sums@3", "third"]
    manifest = by_text.manifest
    assert (manifest.base, manifest.data.samples, manifest.basis) == (run.id, 1, "pca")
    assert manifest.config.input == f"{a} + {b}"
    assert by_text.layers == run.layers
    features = by_text.features.drop(columns=["run", "label_score"])
    pd.testing.assert_frame_equal(features, run.features.drop(columns=["run", "label_score"]))
    assert by_text.feature("ln2.0", 1).label == "mine"
    run.label("ln2.0", 1, "")
    pd.testing.assert_frame_equal(by_text.interactions, by_index.interactions)


@pytest.mark.slow
def test_an_input_that_is_not_in_the_data(run, tmp_path):
    subject = lib_graph.load_subject(run.manifest.model.source)
    sums = {tuple(pair) for pair in subject.inputs[0][:, :2].tolist()}
    a, b = next((a, b) for a in range(7) for b in range(7) if (a, b) not in sums)
    found = trace(run, tmp_path, f"{a} + {b}")
    tokens = torch.tensor([a, b, 7])
    assert trace(run, tmp_path, Sample((tokens,))).id == found.id


@pytest.mark.slow
def test_a_folder_is_traced_once(run, tmp_path):
    first = trace(run, tmp_path, 0)
    stamp = (tmp_path / "manifest.json").stat()
    assert trace(run, tmp_path, 0).id == first.id
    assert (tmp_path / "manifest.json").stat() == stamp
    with pytest.raises(ConflictError, match="differs in input"):
        trace(run, tmp_path, 1)
    assert trace(run, tmp_path, 1, replace=True).id != first.id
    with pytest.raises(UsageError, match=rf"Trace run {run.id}, its base"):
        trace(Run.open(tmp_path), tmp_path / "again", 1)
    with pytest.raises(UsageError, match="holds the run itself"):
        trace(run, run.path, 1, replace=True)


def lib_graph_command(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.mark.slow
def test_the_command(run, tmp_path, capsys):
    out = tmp_path / "out"
    assert lib_graph_command("trace", run.path, "--input", "5 + 2", "--out", out, "-q") == 0
    found = Run.open(out)
    line = f"{out}: run {found.id} (sums@5 + 2) over the features of run {run.id}\n"
    assert capsys.readouterr().out == line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("99", "There is no input 99: the data are inputs 0 to 13."),
        ("5 + 9", "is no sum of two numbers below 7"),
        ("cat", "is no sum"),
    ],
)
def test_what_is_no_input_is_one_line(run, tmp_path, capsys, given, words):
    assert lib_graph_command("trace", run.path, "--input", given, "--out", tmp_path / "out") == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert words in line
    assert not (tmp_path / "out").exists()
