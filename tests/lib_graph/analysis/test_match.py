"""Features of two runs are matched by the correlation of their values on the same data."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import lib_graph
from lib_graph.analysis.correlation import correlations
from lib_graph.analysis.match import match_runs
from lib_graph.analysis.reopening import reopened_network
from lib_graph.building import plan
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.building.passes import Passes
from lib_graph.data.notation import Sums
from lib_graph.dictionaries.bases_file import read_bases, write_bases
from lib_graph.errors import ConflictError, ModelError, RunError, UsageError
from lib_graph.method.dictionary import Dictionary
from lib_graph.networks.checkpoint import save
from lib_graph.networks.subject import Subject
from lib_graph.run.matches import all_matches, matches_path, matches_summary
from lib_graph.support.progress import Silent
from tests.lib_graph.cli.test_build import lib_graph as lib_graph_command
from tests.lib_graph.nets import CONFIG, random_, transformer

NUMBERS = Options(basis="neuron")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two seeds of one architecture, the second in other features and in less precision."""
    folder = tmp_path_factory.mktemp("matching")
    found = []
    for seed, (basis, dtype) in enumerate([("pca", "float64"), ("neuron", "float32")]):
        save(folder / f"model{seed}", transformer(seed).float(), CONFIG)
        options = Options(basis=basis, dtype=dtype)
        found.append(build(folder / f"model{seed}", folder / f"run{seed}", options))
    return found


@pytest.fixture(scope="module")
def opened(runs):
    return [reopened_network(run) for run in runs]


def values(opened, inputs):
    """The features of a run on some data, all at once: by layer rows × features, and the first."""
    batch = opened.network.run(*inputs)
    found = {}
    for layer, activations in zip(opened.network.layers, batch.activations, strict=True):
        basis = opened.bases[layer.name]
        rows = basis.coordinates(activations).double().flatten(0, 1).numpy()
        found[layer.name] = rows, 0 if basis.raw else 1
    return found


def by_definition(first, other, count):
    """Index, other's index, r and both ranks of what is among the first `count` of either."""
    (f, start), (g, other_start) = first, other
    r = np.corrcoef(f, g, rowvar=False)[: f.shape[1], f.shape[1] :]
    if start == other_start == 0:
        return {(i, i): (r[i, i], 1, 1) for i in range(len(r))}
    found = {}
    for i, j in np.ndindex(*r.shape):
        rank = 1 + int((abs(r[i]) > abs(r[i, j])).sum())
        other_rank = 1 + int((abs(r[:, j]) > abs(r[i, j])).sum())
        if min(rank, other_rank) <= count:
            found[i + start, j + other_start] = (r[i, j], rank, other_rank)
    return found


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("rows", [6, 1024])
def test_matches_are_those_of_all_values_at_once(runs, opened, monkeypatch, rows):
    monkeypatch.setattr(plan, "ROWS", rows)
    found = match_runs(*runs, count=2, replace=True)
    assert set(found["layer"]) == {"ln1.0", "ln2.0", "unembed", "output"}
    first, other = (values(each, opened[0].subject.inputs) for each in opened)
    for name, rows in found.groupby("layer"):
        expected = by_definition(first[name], other[name], 2)
        keys = list(zip(rows["index"], rows["other_index"], strict=True))
        assert set(keys) == set(expected)
        ranks = list(zip(rows["rank"], rows["other_rank"], strict=True))
        assert ranks == [expected[key][1:] for key in keys]
        r = [expected[key][0] for key in keys]
        assert rows["correlation"].tolist() == pytest.approx(r, abs=1e-6)  # one is in float32
    assert (found["correlation"] < 0).any()


@pytest.mark.slow
def test_a_network_with_itself_is_the_identity(opened):
    for name, r in correlations(opened[0], opened[0], Passes({})).items():
        size = opened[0].bases[name].features
        expected = torch.ones(size) if name == "output" else torch.eye(size)
        assert torch.allclose(r, expected.double(), atol=1e-9), name


def linear(tmp_path, x, basis, module=None, layers=("x=0:in", "output")):
    """A run of a small module over x, with its subject."""
    subject = Subject.of(random_(module or nn.Sequential(nn.Linear(x.shape[-1], 2))), x, layers)
    return build(subject, tmp_path, Options(basis=basis)), subject


@pytest.mark.slow
def test_a_sign_is_kept(tmp_path):
    x = torch.randn(40, 3, dtype=torch.float64)
    run, subject = linear(tmp_path / "run", x, "pca")
    basis = read_bases(run.path / "bases.safetensors")["x"]
    flipped = replace(basis, rotation=-basis.rotation, inverse=-basis.inverse)
    write_bases(tmp_path / "flipped.safetensors", {"x": flipped}, {})
    other, _ = linear(tmp_path / "other", x, tmp_path / "flipped.safetensors")
    found = match_runs(run, other, subject, subject, count=1)
    r = found.query("layer == 'x'").set_index(["index", "other_index"])["correlation"]
    assert r.to_dict() == pytest.approx({(i, i): -1.0 for i in (1, 2, 3)})


@pytest.mark.slow
def test_outputs_and_features_of_the_last_layer_have_their_own_numbers(tmp_path):
    x = torch.randn(40, 3, dtype=torch.float64)
    run, subject = linear(tmp_path / "raw", x, "neuron")
    other = build(subject, tmp_path / "pca", Options(basis="neuron", last="pca"))
    found = match_runs(run, other, subject, subject, count=9).query("layer == 'output'")
    assert set(zip(found["index"], found["other_index"], strict=True)) == {
        (0, 1), (0, 2), (1, 1), (1, 2)
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_does_not_vary_has_no_match(tmp_path, dtype):
    """A relu that is never on, and a coordinate that is the same for all but for rounding."""
    x = torch.randn(40, 4, dtype=torch.float64)
    x[:, 2] = 0.1
    x[::2, 2] += 1e-16
    bias = torch.tensor([0.0, -100.0, 1.0, 0.0], dtype=torch.float64)
    eye = torch.eye(4, dtype=torch.float64)
    relu = Dictionary(eye, bias, eye, torch.zeros(4, dtype=torch.float64), "relu")
    write_bases(tmp_path / "relu.safetensors", {"x": relu}, {})
    subject = Subject.of(random_(nn.Sequential(nn.Linear(4, 2))), x, ("x=0:in", "output"))
    one, two = (
        build(subject, tmp_path / name, Options(basis=basis, dtype=dtype), force=True)
        for name, basis in [("neurons", "neuron"), ("relu", tmp_path / "relu.safetensors")]
    )
    found = match_runs(one, two, subject, subject, count=9).query("layer == 'x'")
    assert found["correlation"].notna().all()
    assert sorted(set(found["index"])) == [1, 2, 4]
    assert sorted(set(found["other_index"])) == [1, 4]
    assert found["rank"].max() == 2
    summary = matches_summary(found)
    assert (summary["features"].tolist(), summary["mutual"].tolist()) == ([3, 2], [2, 2])


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("rows", [1, 1024])
def test_positions_that_do_not_count_do_not_correlate(tmp_path, monkeypatch, rows):
    """Of the first and the fifth sample none does: a batch may be without any that counts."""
    monkeypatch.setattr(plan, "ROWS", rows)
    x = torch.randn(9, 4, 3, dtype=torch.float64)
    counted = torch.arange(4) < (torch.arange(9)[:, None] % 4).clamp(max=3)
    subject = Subject.of(random_(nn.Sequential(nn.Linear(3, 2))), x, ("x=0:in", "output"))
    subject = replace(subject, counted=counted)
    one, two = (build(subject, tmp_path / b, Options(basis=b)) for b in ("neuron", "pca"))
    found = match_runs(one, two, subject, subject, count=9).query("layer == 'x'")
    rotation = read_bases(two.path / "bases.safetensors")["x"].rotation
    rows = x[counted].numpy()
    r = np.corrcoef(rows, rows @ rotation.numpy(), rowvar=False)[:3, 3:]
    assert len(found) == 9
    assert found["correlation"].tolist() == pytest.approx(
        [r[i - 1, j - 1] for i, j in zip(found["index"], found["other_index"], strict=True)]
    )


def test_the_summary_says_how_well_features_match():
    frame = pd.DataFrame(
        [("a", 1, 1, 0.5, 1, 2), ("a", 1, 2, 0.2, 2, 1), ("a", 2, 1, -0.95, 1, 1),
         ("b", 0, 0, 1.0, 1, 1)],
        columns=["layer", "index", "other_index", "correlation", "rank", "other_rank"],
    ).assign(run="one", other="two")  # fmt: skip
    expected = [
        ("a", "one", 2, 0.725, 0.5, 1),
        ("a", "two", 2, 0.575, 0.5, 1),
        ("b", "one", 1, 1.0, 1.0, 1),
        ("b", "two", 1, 1.0, 1.0, 1),
    ]
    names = ["layer", "run", "features", "median", "above_09", "mutual"]
    pd.testing.assert_frame_equal(matches_summary(frame), pd.DataFrame(expected, columns=names))


@pytest.mark.slow
def test_both_folders_have_the_matches_and_are_written_once(runs):
    found = match_runs(*runs, replace=True)
    for run in runs:
        (matches,) = all_matches(run)
        assert (matches.run, matches.other) == (runs[0].id, runs[1].id)
        pd.testing.assert_frame_equal(matches.frame, found, check_dtype=False)
    paths = [matches_path(run.path, runs[0].id, runs[1].id) for run in runs]
    before = [path.stat().st_mtime_ns for path in paths]
    assert len(match_runs(*runs)) == len(found)
    assert [path.stat().st_mtime_ns for path in paths] == before
    with pytest.raises(ConflictError, match=r"differ in count. --replace makes them anew"):
        match_runs(*runs, count=4)
    paths[1].unlink()
    match_runs(*runs)
    assert paths[1].exists()


@pytest.mark.slow
@pytest.mark.exhaustive
def test_matches_of_another_build_are_refused(runs, tmp_path):
    match_runs(*runs, replace=True)
    path = matches_path(runs[0].path, runs[0].id, runs[1].id)
    other, _ = linear(tmp_path / "run", torch.randn(9, 3, dtype=torch.float64), "pca")
    (other.path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(RunError, match=r"of another build than that of run .* or delete it"):
        list(all_matches(other))


@pytest.mark.slow
def test_the_verb_shows_each_layer(runs, capsys):
    paths = [str(run.path) for run in runs]
    assert lib_graph_command("match", *paths, "-q", "--json", "--replace") == 0
    frame = next(all_matches(runs[0])).frame
    assert json.loads(capsys.readouterr().out) == matches_summary(frame).to_dict("records")
    assert lib_graph_command("match", *paths, "-q") == 0
    lines = capsys.readouterr().out.splitlines()
    first, second = (f"{run.id} ({run.manifest.name})" for run in runs)
    assert lines[0] == f"{first} and {second}, on the data of the first."
    layers = ["ln1.0", "ln2.0", "unembed", "output"]
    assert [line.split()[:2] for line in lines[2:10]] == [
        [layer, run.id] for layer in layers for run in runs
    ]
    assert lib_graph_command("match", paths[0], paths[0]) == 2
    assert capsys.readouterr().err.startswith(f"Error: Run {runs[0].id} cannot be matched with")


def refused(error, says, *arguments, **options):
    with pytest.raises(error, match=says) as caught:
        match_runs(*arguments, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_runs_that_cannot_be_matched_are_one_clear_line(runs, tmp_path):
    refused(UsageError, "cannot be matched with itself", runs[0], runs[0])
    refused(UsageError, "Ask for at least 1", *runs, count=0)
    trace = lib_graph.trace(runs[0], tmp_path / "trace", "1 + 1")
    refused(UsageError, f"is a trace: its features are those of {runs[0].id}", trace, runs[1])
    x = torch.randn(9, 3, dtype=torch.float64)
    run, subject = linear(tmp_path / "run", x, "pca")
    refused(ModelError, "cannot be loaded again", run, runs[0])
    other, wide = linear(tmp_path / "wide", torch.randn(9, 4, dtype=torch.float64), "pca")
    refused(ModelError, f"of run {other.id} cannot run on the data of run {run.id} \\(",
            run, other, subject, wide)  # fmt: skip
    says = f"of run {run.id} cannot run on the data of run {runs[0].id} \\("
    refused(ModelError, says, runs[0], run, None, subject)
    apart, named = linear(tmp_path / "apart", x, "pca", layers=("y=0:in", "z=output"))
    refused(UsageError, r"no layer in common \(x, output; y, z\)", run, apart, subject, named)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_layers_that_do_not_fit_together_are_one_clear_line(tmp_path):
    x = torch.randn(9, 4, 3, dtype=torch.float64)
    run, subject = linear(tmp_path / "run", x, "neuron")
    more, module = linear(tmp_path / "more", x, "neuron", nn.Sequential(nn.Linear(3, 5)))
    says = "Layer 'output' has 2 outputs in run .* and 5 in"
    refused(UsageError, says, run, more, subject, module)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    once, module = linear(tmp_path / "flat", x, "neuron", flat, ("x=1:in", "output"))
    says = "Layer 'x' has 4 positions in run .* and 1 in"
    refused(UsageError, says, run, once, subject, module)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_other_vocabularies_are_one_clear_line(runs, opened, tmp_path):
    sums = replace(opened[1].subject, notation=Sums(5))
    refused(UsageError, "have different vocabularies", *runs, None, sums, replace=True)
    tokens = torch.randint(0, 9, (20, 3))
    found = []
    for size in (9, 5):
        module = random_(nn.Sequential(nn.Embedding(size, 4), nn.Linear(4, 2)))
        subject = Subject.of(module, tokens.clamp(max=size - 1), ("x=1:in", "output"))
        found.append((build(subject, tmp_path / f"{size}", NUMBERS), subject))
    (one, first), (two, second) = found
    says = r"cannot run on the data of run .* \(index out of range"
    refused(ModelError, says, one, two, first, second, replace=True)
    assert len(match_runs(two, one, second, first))


@pytest.mark.slow
def test_layers_of_one_run_alone_are_said(tmp_path):
    said = []

    class Saying(Silent):
        def say(self, line):
            said.append(line)

    x = torch.randn(9, 3, dtype=torch.float64)
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    one, first = linear(tmp_path / "one", x, "neuron", module, ("x=0:in", "h=2:in", "output"))
    two, second = linear(tmp_path / "two", x, "neuron", module, ("x=0:in", "output"))
    found = match_runs(one, two, first, second, progress=Saying())
    assert set(found["layer"]) == {"x", "output"}
    assert said == [f"Layers of run {one.id} alone are left out: h."]
