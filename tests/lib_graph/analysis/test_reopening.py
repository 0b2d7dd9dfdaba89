"""A run's network again: found where it was, or one line that says what is wrong."""

import shutil
from dataclasses import replace

import pytest
import torch
from torch import nn

import lib_graph
from lib_graph.analysis.reopening import reopened, reopened_network
from lib_graph.building.build import build
from lib_graph.errors import ConflictError, ModelError
from lib_graph.networks.checkpoint import save
from lib_graph.networks.subject import Subject
from lib_graph.run import Run
from tests.lib_graph.nets import CONFIG, transformer


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reopening")
    save(folder / "model", transformer().float(), CONFIG)
    subject = lib_graph.load_subject(folder / "model").with_layers(["ln1.0", "m=unembed:in"])
    return lib_graph.build(subject, folder / "run", lib_graph.Options(dtype="float32"))


@pytest.mark.slow
def test_the_network_comes_back_with_the_layers_and_bases_of_the_run(built):
    subject = reopened(built)
    assert subject.layers == {"ln1.0": "blocks.0:in", "m": "unembed:in"}
    found = reopened_network(built)
    batch = found.network.run(*subject.inputs)
    assert [f.dtype for f in batch.activations] == [torch.float32] * 2
    features = found.bases["ln1.0"].coordinates(batch.activations[0]).double()
    importance = built.features.query("layer == 'ln1.0' and role == 'feature'").importance
    assert features.square().mean((0, 1)).tolist() == pytest.approx(importance.tolist(), rel=1e-3)


@pytest.mark.slow
def test_a_network_that_moved_is_one_line(built, tmp_path):
    run = shutil.copytree(built.path.parent, tmp_path / "moved")
    text = (run / "run" / "manifest.json").read_text()
    source = str(built.path.parent / "model")
    (run / "run" / "manifest.json").write_text(text.replace(source, str(tmp_path / "none")))
    with pytest.raises(ModelError, match=r"cannot be loaded again. There is no model folder"):
        reopened(lib_graph.Run.open(run / "run"))


@pytest.mark.slow
def test_other_weights_are_refused(built):
    with torch.no_grad():
        subject = lib_graph.load_subject(built.manifest.model.source)
        subject.module.unembed.b_U += 1
    with pytest.raises(ConflictError, match=r"The weights of .* are not those that run"):
        reopened(built, subject)


@pytest.mark.slow
def test_other_data_are_refused(built):
    subject = lib_graph.load_subject(built.manifest.model.source)
    with pytest.raises(ConflictError, match=r"The data of .* are not those that run"):
        reopened(built, replace(subject, inputs=(subject.inputs[0][:-1],)))


@pytest.mark.slow
def test_a_module_of_a_session_has_to_be_given(tmp_path):
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    subject = lib_graph.Subject.of(module, torch.randn(20, 3), ["0:in", "output"])
    run = lib_graph.build(subject, tmp_path)
    with pytest.raises(ModelError, match=r"'Sequential', cannot be loaded again"):
        reopened(run)
    assert reopened(run, subject).layers == {"0:in": "0:in", "output": "output"}


@pytest.mark.slow
def test_a_file_of_ones_own_comes_back_with_its_data(tmp_path):
    file = tmp_path / "net.py"
    file.write_text(
        "import torch\n\n\ndef make_model():\n    return torch.nn.Sequential(torch.nn.Linear(3, 2))"
        "\n\n\ndef other_data():\n    return torch.randn(9, 3)\n"
    )
    subject = lib_graph.load_subject(f"{file}:make_model", f"{file}:other_data")
    run = lib_graph.build(subject.with_layers(["0:in", "output"]), tmp_path / "run")
    assert reopened(run).inputs[0].equal(subject.inputs[0])
    file.unlink()
    with pytest.raises(ModelError, match=r"cannot be loaded again. There is no file"):
        reopened(run)


def test_a_layer_whose_name_has_a_comma(tmp_path):
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    subject = Subject.of(module, torch.randn(9, 2), ["a,b=0:in", "hidden=2:in", "output"])
    run = build(subject, tmp_path)
    assert [layer.name for layer in Run.open(tmp_path).layers] == ["a,b", "hidden", "output"]
    assert reopened(run, subject).layers == {"a,b": "0:in", "hidden": "2:in", "output": "output"}


@pytest.mark.slow
def test_no_derivative_is_checked_where_none_is_taken(built):
    checks = reopened_network(built).network.figures
    fewer = reopened_network(built, derivatives=False).network.figures
    assert {*checks} - {*fewer} == {"mode_error", "derivative_error"}
    assert fewer["chain_error"] == checks["chain_error"]
