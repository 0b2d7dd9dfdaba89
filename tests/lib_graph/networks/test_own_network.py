"""A network out of a person's own file, from the command line to the run."""

import copy
import json
from pathlib import Path

import pytest
import torch
from torch import nn

import lib_graph as library
from lib_graph.errors import ModelError, NotFoundError, UsageError
from lib_graph.kinds import Linear
from lib_graph.networks import Subject, load_subject, shipped_model
from lib_graph.run import Run
from tests.lib_graph.cli.test_build import lib_graph

FILE = """
import torch
from sizes import WIDTH

def make_model():
    return torch.nn.Sequential(
        torch.nn.Linear(WIDTH, 6), torch.nn.ReLU(), torch.nn.Linear(6, 2), torch.nn.Flatten()
    )

def make_data():
    return torch.randn(40, WIDTH)

def other_data():
    return (torch.ones(7, WIDTH),)

def uneven():
    return torch.ones(3, WIDTH), torch.ones(4)

def words():
    return "no numbers"

def broken():
    raise RuntimeError("no such luck")

constant = 5
"""
KINDS = """
from lib_graph.kinds import Linear, ResidualMLP

def make_kinds(module):
    assert module[0].weight.dtype == torch.float64
    line = module[2]
    return {("2:in", "output"): Linear(line.weight.T, line.bias)}
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "sizes.py").write_text("WIDTH = 4\n")
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def test_the_data_is_beside_the_model_unless_said_otherwise(file):
    subject = load_subject(f"{file}:make_model")
    assert (subject.name, subject.source) == ("mine", f"{file}:make_model")
    assert subject.inputs[0].shape == (40, 4)
    for other in (f"{file}:other_data", Path(f"{file}:other_data")):
        assert load_subject(f"{file}:make_model", other).inputs[0].shape == (7, 4)


def test_random_numbers_are_the_same_every_time_and_nobody_elses(file):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    one, two = (load_subject(f"{file}:make_model") for _ in range(2))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(one.inputs[0], two.inputs[0])
    assert torch.equal(one.module[0].weight, two.module[0].weight)


@pytest.mark.parametrize(
    ("model", "data", "error", "words"),
    [
        ("none.py:make_model", None, UsageError, "There is no file 'none.py'"),
        ("{file}:make_modl", None, NotFoundError, "Closest: 'make_model'"),
        ("{file}:constant", None, NotFoundError, "Function 'constant' not found"),
        ("{file}:broken", None, ModelError, "RuntimeError: no such luck"),
        (
            "{file}:make_data",
            None,
            ModelError,
            "returned Tensor, not an nn.Module",
        ),
        ("{file}:make_model", "{file}:words", ModelError, "returned str"),
        ("{file}:make_model", "{file}:uneven", ModelError, "have 3, 4 samples"),
        ("{file}:make_model", "data.parquet", UsageError, "no function in a Python file"),
    ],
)
def test_what_cannot_be_used_is_named(file, model, data, error, words):
    with pytest.raises(error, match=words):
        load_subject(model.format(file=file), data and data.format(file=file))


def test_a_model_folder_has_its_own_data(file):
    with pytest.raises(UsageError, match="Leave --data"):
        load_subject(shipped_model(), f"{file}:make_data")


@pytest.mark.slow
def test_the_layers_that_are_listed_can_be_built(file, tmp_path, capsys):
    model = f"{file}:make_model"
    assert lib_graph("layers", model, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["point"]: row["shape"] for row in rows} == {
        "0:in": [4], "0:out": [6], "1:in": [6], "1:out": [6], "2:in": [6], "2:out": [2],
        "3:in": [2], "3:out": [2], "output": [2],
    }  # fmt: skip
    assert lib_graph("layers", model) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[2].split() == ["0:out", "[6]"]
    assert said.err.startswith("loading the model: ")
    out = tmp_path / "run"
    assert lib_graph("build", model, "--out", str(out), "--layers", "x=0:in,2:in,output", "-q") == 0
    run = Run.open(out)
    assert [(layer.name, layer.width) for layer in run.layers] == [
        ("x", 4), ("2:in", 6), ("output", 2)
    ]  # fmt: skip
    assert run.manifest.model.source == model
    assert run.manifest.data.name == f"{file}:make_data"


def test_layers_of_a_folder_say_which_are_taken(capsys):
    assert lib_graph("layers", str(shipped_model())) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    start = first.index("layer")
    assert [line[start:] for line in lines if line[start:]] == [
        "ln1.0", "ln2.0", "unembed", "output"
    ]  # fmt: skip


def test_layers_must_be_named(file, tmp_path, capsys):
    model = f"{file}:make_model"
    assert lib_graph("build", model, "--out", str(tmp_path / "run")) == 2
    assert "'lib-graph layers MODEL' lists" in capsys.readouterr().err
    assert lib_graph("build", model, "--out", str(tmp_path / "run"), "--layers", "0:on,output") == 2
    assert "Closest: '0:in'" in capsys.readouterr().err


def test_two_layers_cannot_have_one_name(file, tmp_path, capsys):
    arguments = ("build", f"{file}:make_model", "--out", str(tmp_path / "run"))
    assert lib_graph(*arguments, "--layers", "a=0:in,a=2:in,output") == 2
    assert "Two layers are called 'a'" in capsys.readouterr().err


LAYERS = ["x=0:in", "2:in", "output"]


@pytest.mark.slow
def test_a_module_in_python_is_what_it_is_from_a_file(file, tmp_path):
    subject = load_subject(f"{file}:make_model")
    module, (x,) = subject.module, subject.inputs
    runs = [
        library.build(module, tmp_path / "module", data=x, layers=LAYERS),
        library.build(Subject.of(module, x, LAYERS), tmp_path / "subject"),
        library.build(f"{file}:make_model", tmp_path / "file", layers=LAYERS),
        library.build(module, tmp_path / "tuple", data=(x,), layers=iter(LAYERS)),
    ]
    assert len({run.id for run in runs}) == 1
    assert runs[0].manifest.data.samples == 40


@pytest.mark.parametrize(
    ("model", "given", "words"),
    [
        (nn.Linear(2, 2), {"layers": LAYERS}, "needs the tensors .* data=x"),
        (nn.Linear(2, 2), {"data": torch.ones(3, 2)}, "and its layers"),
        (nn.Linear(2, 2), {"data": "mine.py:f", "layers": LAYERS}, "needs the tensors"),
        ("mine.py:make_model", {"data": torch.ones(3, 2)}, "Name a function"),
        (Subject.of(nn.Linear(2, 2), torch.ones(3, 2), []), {"data": torch.ones(3, 2)}, "already"),
    ],
)
def test_data_and_layers_that_do_not_go_with_the_model(tmp_path, model, given, words):
    with pytest.raises(UsageError, match=words):
        library.build(model, tmp_path / "run", **given)


@pytest.mark.slow
def test_kinds_can_be_declared_in_the_file(file, tmp_path):
    without = load_subject(f"{file}:make_model").with_layers(LAYERS)
    file.write_text(FILE + KINDS)
    subject = load_subject(f"{file}:make_model").with_layers(LAYERS)
    declared = subject.kinds(copy.deepcopy(subject.module).double())
    assert isinstance(declared["2:in", "output"], Linear)
    run = library.build(subject, tmp_path / "declared")
    plain = library.build(without, tmp_path / "plain")
    assert run.id == plain.id
    strengths = [x.interactions.strength.to_numpy() for x in (run, plain)]
    assert abs(strengths[0] - strengths[1]).max() < 1e-9 * strengths[0].max()


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("[1]", r"make_kinds' returned \[1\]. Return"),
        ("{'2:in': None}", r"Return \{\(source layer, target"),
        ("{('2:in', 'output'): 'linear'}", "with kinds of lib_graph.kinds"),
        ("1 / 0", "make_kinds' failed .ZeroDivisionError"),
        ("{('2:in', 'output'): Linear(2 * module[2].weight.T, module[2].bias)}", "after layer '2:"),
    ],
)
def test_wrong_kinds_are_named(file, tmp_path, result, words):
    source = f"\nfrom lib_graph.kinds import Linear\ndef make_kinds(module):\n    return {result}\n"
    file.write_text(FILE + source)
    with pytest.raises(ModelError, match=words):
        library.build(f"{file}:make_model", tmp_path / "run", layers=LAYERS)


@pytest.mark.slow
def test_kinds_of_a_module_in_python(tmp_path):
    module = nn.Sequential(nn.Linear(3, 3), nn.Softmax(-1))

    def kinds(copy):
        return {("a", "b"): Linear(copy[0].weight.T, copy[0].bias * 2)}

    subject = Subject.of(module, torch.randn(9, 3), ["a=0:in", "b=1:in", "output"], kinds)
    with pytest.raises(ModelError, match="after layer 'a' is not the Linear"):
        library.build(subject, tmp_path)
