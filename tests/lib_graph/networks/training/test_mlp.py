"""Perceptrons on images: training, the folder, and graphs of it."""

import json
import shutil

import numpy as np
import pytest
import torch
from torch import nn

import lib_graph
from lib_graph.analysis.reopening import reopened, reopened_network
from lib_graph.data.images import read_images
from lib_graph.errors import ConflictError, ModelError, UsageError
from lib_graph.kinds import Linear, Perceptron
from lib_graph.networks import load_subject
from lib_graph.networks.checkpoint import read_config
from lib_graph.networks.mlp import MLPConfig
from lib_graph.networks.training.mlp import MLPRecipe, evaluate, train
from tests.data import reference_data
from tests.lib_graph.cli.test_build import lib_graph as command
from tests.lib_graph.data.test_images import encoded, random_images, write_images
from tests.lib_graph.networks.training.test_modular_addition import Interrupting

QUICK = MLPRecipe(epochs=6, batch_size=16, learning_rate=1e-2)


def bright_side(n, seed):
    """Colour images, and on which of three sides they are brighter."""
    pixels, labels = random_images(n, 3, 3, 3, seed=seed) // 2, np.arange(n) % 3
    for image, label in zip(pixels, labels, strict=True):
        image[:, label] += 120
    return [encoded(image) for image in pixels], labels.tolist()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "sides"
    write_images(folder / "train-00000-of-00001.parquet", *bright_side(90, 0))
    write_images(folder / "test-00000-of-00001.parquet", *bright_side(30, 1))
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "mlp"
    train(folder, data, [8, 5], QUICK)
    return folder


def test_it_learns_and_says_how(trained, data):
    record = read_config(trained, MLPConfig).training
    assert record.test_accuracy > 0.9
    assert (record.epochs, record.steps, record.seed) == (6, 6 * 6, 0)
    config, images = read_config(trained, MLPConfig), read_images(data, "test")
    module = load_subject(trained).module
    reached = evaluate(module, config.data.inputs(images), images.labels)
    assert reached == (record.test_accuracy, record.test_loss)


def test_the_folder_loads_with_its_training_split_normalised(trained, data):
    subject = load_subject(trained)
    (x,) = subject.inputs
    assert x.shape == (90, 27)
    assert x.dtype == torch.float32
    assert x.unflatten(1, (3, 9)).mean((0, 2)).abs().max() < 1e-5
    assert x.unflatten(1, (3, 9)).std((0, 2), correction=0).sub(1).abs().max() < 1e-5
    assert list(subject.layers) == ["input", "hidden1", "hidden2", "output"]
    first = read_images(data, "train").pixels[0].double() / 255
    config = read_config(trained, MLPConfig).data
    expected = (first - torch.tensor(config.mean)[:, None, None]).flatten()
    assert torch.allclose(x[0].double() * config.std[0], expected, atol=1e-1)
    assert config.folder == str(data)
    shown = subject.notation.picture(subject.sample(0))
    assert torch.equal(shown.movedim(-1, 0), read_images(data, "train").pixels[0])


def test_it_is_the_plain_perceptron(trained):
    subject = load_subject(trained)
    lines = subject.module.linears
    plain = nn.Sequential(lines[0], nn.ReLU(), lines[1], nn.ReLU(), lines[2])
    (x,) = subject.inputs
    with torch.no_grad():
        assert torch.equal(subject.module(x), plain(x))


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize(
    "basis", ["lib", *(pytest.param(b, marks=pytest.mark.slow) for b in ("pca", "neuron"))]
)
def test_its_graphs_come_from_closed_forms(trained, tmp_path, basis):
    run = lib_graph.build(trained, tmp_path, lib_graph.Options(basis=basis))
    kinds = [type(s.kind) for s in reopened_network(run).network.sections]
    assert kinds == [Perceptron, Perceptron, Linear]
    assert [layer.width for layer in run.layers] == [27, 8, 5, 3]
    assert [layer.kind for layer in run.layers] == ["basis"] * 3 + ["raw"]
    assert run.manifest.data.samples == 90


@pytest.mark.slow
def test_the_data_can_be_elsewhere(trained, data, tmp_path, capsys):
    elsewhere = shutil.copytree(data, tmp_path / "elsewhere")
    out = str(tmp_path / "run")
    model = shutil.copytree(trained, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    config["data"]["folder"] = str(tmp_path / "gone")
    (model / "config.json").write_text(json.dumps(config))
    assert command("build", str(model), "--out", out, "-q") == 2
    assert "no files train-….parquet" in capsys.readouterr().err
    assert command("build", str(model), "--out", out, "-q", "--data", str(elsewhere)) == 0
    run = lib_graph.Run.open(out)
    assert run.manifest.config.data == str(elsewhere)
    assert torch.equal(reopened(run).inputs[0], load_subject(trained).inputs[0])


def test_other_images_do_not_fit(trained, tmp_path):
    write_images(tmp_path / "train.parquet", [encoded(random_images(1, 2, 2)[0])], [0])
    with pytest.raises(UsageError, match=r"The images are \[1, 2, 2\], the network is for \[3, 3"):
        load_subject(trained, str(tmp_path))


def test_a_seed_gives_the_same_weights(trained, data, tmp_path):
    torch.manual_seed(5)
    train(tmp_path / "again", data, [8, 5], QUICK)
    first, again = (load_subject(f).module.state_dict() for f in (trained, tmp_path / "again"))
    assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("labels", [None, [-1] * 30, [5] * 30])
def test_without_a_labelled_test_split_nothing_is_claimed(data, tmp_path, labels):
    folder = shutil.copytree(data, tmp_path / "data")
    (folder / "test-00000-of-00001.parquet").unlink()
    if labels is not None:
        write_images(folder / "test.parquet", bright_side(30, 1)[0], labels)
    record = train(tmp_path / "mlp", folder, [], QUICK).training
    assert (record.test_accuracy, record.test_loss) == (None, None)


def test_what_cannot_be_trained(data, tmp_path, trained):
    with pytest.raises(ConflictError, match="not empty"):
        train(trained, data, [8], QUICK)
    with pytest.raises(UsageError, match=r"widths \[8, 0\] cannot be"):
        train(tmp_path / "mlp", data, [8, 0], QUICK)
    with pytest.raises(ModelError, match="training loss is nan after 1 epochs"):
        train(tmp_path / "mlp", data, [8], MLPRecipe(learning_rate=1e30))
    write_images(tmp_path / "no" / "train.parquet", bright_side(3, 0)[0], [-1] * 3)
    with pytest.raises(UsageError, match="labels below 0"):
        train(tmp_path / "mlp", tmp_path / "no", [8], QUICK)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "mlp", data, [8], QUICK, progress=Interrupting(3))
    assert not (tmp_path / "mlp").exists()


@pytest.mark.parametrize("name", ["epochs", "batch_size", "learning_rate"])
def test_a_recipe_without_a_positive_value_is_refused(name):
    with pytest.raises(UsageError, match=f"{name} is 0"):
        MLPRecipe(**{name: 0})


def test_the_command(data, tmp_path, capsys):
    arguments = ["train", "mlp", "--data", str(data), "-q", "--out", str(tmp_path / "mlp")]
    assert command(*arguments, "--hidden", "4", "--epochs", "1", "--label", "label") == 0
    assert "test accuracy" in capsys.readouterr().out
    assert read_config(tmp_path / "mlp", MLPConfig).hidden == (4,)
    assert command(*arguments) == 4
    for option, value, words in (
        ("--hidden", "4,x", "--hidden is '4,x'"),
        ("--label", "none", "Label 'none' not found"),
        ("--epochs", "0", "epochs is 0"),
    ):
        (*same, _) = arguments
        assert command(*same, str(tmp_path / "other"), option, value) == 2
        (line,) = capsys.readouterr().err.splitlines()[-1:]
        assert words in line


@pytest.mark.slow
def test_cifar10_as_the_hub_lays_it_out():
    images = read_images(reference_data("cifar10"), "test")
    assert images.pixels.shape == (10_000, 3, 32, 32)
    assert torch.bincount(images.labels).tolist() == [1000] * 10
