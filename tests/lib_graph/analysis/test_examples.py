"""Examples are the inputs on which each feature is largest, whatever the batches."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from torch import nn

import lib_graph
from lib_graph.analysis.examples import find_examples
from lib_graph.analysis.reopening import reopened_network
from lib_graph.building import plan
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.data.notation import Images, Notation, Sample
from lib_graph.dictionaries.bases_file import write_bases
from lib_graph.errors import ConflictError, RunError, UsageError
from lib_graph.method.dictionary import Dictionary
from lib_graph.networks.checkpoint import save
from lib_graph.networks.subject import Subject
from lib_graph.run import Run
from lib_graph.run.examples import read_examples
from queries.cli.main import main
from tests.lib_graph.nets import CONFIG, random_, transformer


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples") / "model"
    save(folder, transformer().float(), CONFIG)
    return folder


@pytest.fixture(scope="module")
def run(model):
    run = build(model, model.parent / "run", Options(basis="pca"))
    find_examples(run, count=4)
    return run


@pytest.mark.slow
def test_they_are_the_largest_and_the_most_negative(run, monkeypatch):
    found = read_examples(run)
    opened = reopened_network(run)
    batch = opened.network.run(*opened.subject.inputs)
    for layer in opened.network.layers:
        f_hat = opened.bases[layer.name].coordinates(batch.activations[layer.index])
        first = 0 if opened.bases[layer.name].raw else 1
        for index in range(f_hat.shape[-1]):
            rows = found[(found.layer == layer.name) & (found["index"] == index + first)]
            values = f_hat[..., index]
            up = values.max(1).values.sort(descending=True).values[:4]
            down = values.min(1).values.sort().values[:4]
            truth = [*up[up > 0].tolist(), *down[down < 0].tolist()]
            assert rows.value.tolist() == pytest.approx(truth, rel=1e-12)
            ranks = [*range(1, (up > 0).sum() + 1), *range(-1, -(down < 0).sum() - 1, -1)]
            assert rows["rank"].tolist() == ranks
            places = rows.position.fillna(0).astype(int).tolist()
            at = values[rows["sample"].tolist(), places]
            assert at.tolist() == pytest.approx(truth, rel=1e-12)
    monkeypatch.setattr(plan, "ROWS", 6)  # batches of two samples
    again = find_examples(run, count=4, replace=True)
    assert again.drop(columns="value").equals(found.drop(columns="value"))


@pytest.mark.slow
def test_they_show_sums_with_the_position_marked(run):
    found = read_examples(run, layer="ln1.0")
    (tokens,) = lib_graph.load_subject(run.manifest.model.source).inputs
    for row in found.head(20).to_dict("records"):
        a, b, _ = tokens[row["sample"]].tolist()
        parts = [str(a), str(b), "="]
        parts[row["position"]] = f"«{parts[row['position']]}»"
        assert row["text"] == f"{parts[0]} + {parts[1]} {parts[2]}"
    last = read_examples(run, layer="ln2.0", index=1)
    assert last.position.isna().all()
    assert "«" not in "".join(last.text)


@pytest.mark.slow
def test_a_relu_has_one_end(tmp_path):
    subject = subject_of(torch.randn(30, 3, dtype=torch.float64))
    relu = Dictionary(torch.eye(3), -torch.ones(3), torch.eye(3), torch.ones(3), "relu")
    write_bases(tmp_path / "file.safetensors", {"x": relu}, {})
    run = build(subject, tmp_path / "run", Options(basis=tmp_path / "file.safetensors"), force=True)
    found = find_examples(run, subject, count=30).query("layer == 'x'")
    assert (found["rank"] > 0).all()
    assert len(found) == int((subject.inputs[0] > 1).sum())
    assert found.text.iloc[0] == " ".join(
        f"{v:.3g}" for v in subject.inputs[0][found["sample"].iloc[0]].tolist()
    )


def subject_of(x, module=None, layers=("x=0:in", "output"), **more):
    module = module or nn.Sequential(nn.Linear(x.shape[-1], 2))
    return replace(Subject.of(random_(module), x, layers), **more)


@pytest.mark.slow
def test_positions_that_do_not_count_are_no_examples(tmp_path):
    x = torch.randn(9, 4, 3, dtype=torch.float64)
    counted = torch.arange(4) < torch.arange(9)[:, None].clamp(1, 3)
    x[~counted] = 1e3
    subject = subject_of(x, counted=counted)
    run = build(subject, tmp_path, Options(basis="neuron"))
    found = find_examples(run, subject, count=3)
    assert found.value.abs().max() < 1e2
    assert all(counted[row["sample"], row["position"]] for row in found.to_dict("records"))


@pytest.mark.slow
def test_images_come_as_png(tmp_path):
    mean, std = (0.5, 0.4, 0.3), (0.3, 0.2, 0.1)
    pixels = torch.rand(6, 3, 2, 2, dtype=torch.float64)
    x = (pixels - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    subject = subject_of(x.flatten(1), notation=Images((3, 2, 2), mean, std))
    run = build(subject, tmp_path, Options(basis="neuron"))
    found = find_examples(run, subject, count=1)
    row = found.iloc[0]
    image = imread(io.BytesIO(row["image"]))[..., :3]
    assert np.allclose(image, pixels[row["sample"]].permute(1, 2, 0), atol=1 / 255)
    assert row["text"] == "3 × 2 × 2"


def test_images_are_seen_where_they_look_like_some():
    x = torch.rand(1, 2, 5)
    found = Notation().picture(Sample((x,)))
    scaled = (x - x.min()) / (x.max() - x.min())
    assert torch.allclose(found / 255, scaled.movedim(0, -1), atol=1 / 255)
    assert Notation().picture(Sample((torch.rand(2, 2, 5),))) is None


def test_long_contexts_are_cut_around_the_position():
    tokens = torch.arange(40)
    written = Notation().write(Sample((tokens,), tokens < 35), 20)
    assert written.startswith("… 8 9 ")
    assert "19 «20» 21" in written
    assert written.endswith("31 32 …")
    assert Notation().write(Sample((tokens,), tokens < 35), 33).endswith("32 «33» 34")


@pytest.mark.slow
def test_examples_are_made_once(run, capsys):
    before = (run.path / "examples.parquet").stat()
    assert len(find_examples(run, count=4)) == len(read_examples(run))
    assert (run.path / "examples.parquet").stat() == before
    with pytest.raises(ConflictError, match=r"differ in count. --replace"):
        find_examples(run, count=5)


@pytest.mark.slow
def test_examples_of_another_build_are_refused(run, tmp_path):
    build(run.manifest.model.source, tmp_path, Options(basis="neuron"))
    (tmp_path / "examples.parquet").write_bytes((run.path / "examples.parquet").read_bytes())
    with pytest.raises(RunError, match="of another build"):
        read_examples(Run.open(tmp_path))
    (tmp_path / "examples.parquet").unlink()
    with pytest.raises(RunError, match=r"has no examples\. Make them with 'lib-graph examples"):
        read_examples(Run.open(tmp_path))


def lib_graph_command(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.mark.slow
def test_the_command_and_the_option_of_build(model, tmp_path, capsys):
    arguments = ("--basis", "neuron", "--layers", "ln2.0,output", "-q")
    assert lib_graph_command("build", model, "--out", tmp_path, *arguments, "--examples", "2") == 0
    found = read_examples(Run.open(tmp_path))
    assert found["rank"].abs().max() == 2
    capsys.readouterr()
    assert lib_graph_command("examples", tmp_path, "-n", "3", "--replace", "-q") == 0
    assert f"{len(read_examples(Run.open(tmp_path))):,} examples of" in capsys.readouterr().out
    assert lib_graph_command("examples", tmp_path, "-n", "0") == 2
    assert "Ask for at least 1" in capsys.readouterr().err


def test_inputs_that_nobody_can_write_are_one_line():
    with pytest.raises(UsageError, match="cannot be written as text, as 'cat' is"):
        Notation().read("cat")
