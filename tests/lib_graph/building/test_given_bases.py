"""Given bases that leave out much of a layer: said from half of it on, refused above all of it."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.errors import UsageError
from lib_graph.networks.subject import Subject
from lib_graph.support.progress import Silent
from queries.cli.main import main
from tests.lib_graph.nets import random_

D, R = 6, 4
LAYERS = ["x=0:in", "output"]


class Said(Silent):
    """Keep what a build says."""

    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


@pytest.fixture
def data():
    scale = torch.tensor([4.0, 3.0, 2.0, 1.0, 0.3, 0.3]).double()
    rows = torch.randn(200, D, generator=torch.Generator().manual_seed(0)).double()
    return rows * scale + torch.arange(D)


@pytest.fixture
def subject(data):
    return Subject.of(random_(nn.Sequential(nn.Linear(D, 3))), data, LAYERS)


def directions():
    """Four directions across the first four coordinates, as columns d × r and rows r × d."""
    turn = torch.linalg.qr(torch.randn(R, R, generator=torch.Generator().manual_seed(1)).double())
    encoder = torch.cat([turn[0], torch.zeros(D - R, R)])
    return encoder, encoder.T


def misread(matrix):
    """What a file says whose writer took a transposed view for its memory."""
    return matrix.T.reshape(matrix.shape).contiguous()


def dictionary(data, encoder, decoder):
    return {"x.encoder": encoder, "x.encoder_bias": -data.mean(0) @ encoder,
            "x.decoder": decoder, "x.decoder_bias": data.mean(0)}  # fmt: skip


def basis(data, rotation, inverse):
    return {"x.rotation": rotation, "x.inverse": inverse, "x.mean": data.mean(0)}


def missed(data, encoder, decoder):
    """The share of the variance that is left out, sample by sample."""
    centred = data - data.mean(0)
    rest = sum((f - f @ encoder @ decoder).square().sum() for f in centred)
    return float(rest / sum(f.square().sum() for f in centred))


def given(tmp_path, tensors):
    file = tmp_path / "given.safetensors"
    save_file(
        {name: x.contiguous().clone() for name, x in tensors.items()},
        file,
        {"activation": "identity"},
    )
    return Options(basis=file)


@pytest.mark.parametrize("kind", [dictionary, basis])
def test_a_matrix_written_transposed_is_refused_unless_forced(kind, data, subject, tmp_path):
    encoder, decoder = directions()
    wrong = misread(decoder)
    assert missed(data, encoder, decoder) < 0.5 < 1 < missed(data, encoder, wrong)
    options = given(tmp_path, kind(data, encoder, wrong))
    with pytest.raises(
        UsageError, match=r"layer 'x' leave out [\d.]+ times its variance"
    ) as raised:
        build(subject, tmp_path / "run", options)
    assert "\n" not in str(raised.value)
    assert "--force" in str(raised.value)
    assert not (tmp_path / "run" / "manifest.json").exists()
    said = Said()
    run = build(subject, tmp_path / "run", options, force=True, progress=said)
    assert run.manifest.checks["left_out"] == pytest.approx(missed(data, encoder, wrong))
    assert any("leave out" in line for line in said.lines)
    right = given(tmp_path, kind(data, encoder, decoder))
    said = Said()
    assert build(subject, tmp_path / "right", right, progress=said).id != run.id
    assert not any("leave out" in line for line in said.lines)


@pytest.mark.parametrize(("kept", "words"), [(1, "leave out 50%"), (2, None)])
def test_half_of_the_variance_left_out_is_said(kept, words, tmp_path):
    """Three coordinates of variances 2, 1 and 1, of which the features are the first few."""
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3).double()
    data = signs * torch.tensor([2.0, 1.0, 1.0]).sqrt()
    subject = Subject.of(random_(nn.Sequential(nn.Linear(3, 2))), data, LAYERS)
    encoder = torch.eye(3)[:, :kept].double()
    options, said = given(tmp_path, dictionary(data, encoder, encoder.T)), Said()
    run = build(subject, tmp_path / "run", options, progress=said)
    assert run.manifest.checks["left_out"] == pytest.approx(0.5 if kept == 1 else 0.25)
    assert [line for line in said.lines if "leave out" in line] == [
        line for line in said.lines if words and words in line
    ]
    assert bool(words) == any("leave out" in line for line in said.lines)


MODEL = """
import torch

def make_model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 3)).double()

def make_data():
    return torch.load("data.pt", weights_only=True)
"""


def test_the_command_says_so_in_one_line(data, tmp_path, capsys, monkeypatch):
    (tmp_path / "few.py").write_text(MODEL)
    torch.save(data, tmp_path / "data.pt")
    monkeypatch.chdir(tmp_path)
    encoder, decoder = directions()
    given(tmp_path, dictionary(data, encoder, misread(decoder)))
    asked = ["build", "few.py:make_model", "--layers", "x=0:in,output", "--out", "run", "--basis",
             "given.safetensors"]  # fmt: skip
    codes = []
    for more in ([], ["--force"]):
        with pytest.raises(SystemExit) as stop:
            main([*asked, *more])
        codes.append(stop.value.code)
        error = capsys.readouterr().err
        assert ("Mend the file" in error) == (not more)
    assert codes == [2, 0]
