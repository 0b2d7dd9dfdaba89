"""`lib-graph build` as it is typed."""

import json
import signal

import pytest

from lib_graph.networks.checkpoint import save
from lib_graph.run import Run
from queries.cli.main import main
from tests.lib_graph.nets import CONFIG, transformer
from tests.processes import held, started


@pytest.fixture
def model(tmp_path):
    save(tmp_path / "model", transformer().float(), CONFIG)
    return str(tmp_path / "model")


def lib_graph(*arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return stop.value.code


@pytest.mark.slow
def test_build_writes_a_run_and_says_what(model, tmp_path, capsys):
    assert lib_graph("build", model, "--out", str(tmp_path / "run")) == 0
    out, err = capsys.readouterr()
    run = Run.open(tmp_path / "run")
    assert out.splitlines()[0] == f"{tmp_path / 'run'}: run {run.id} (modular-addition-lib)"
    assert "Plan: batches of" in err
    assert "interactions of unembed" in err
    assert err.splitlines()[-1] == f"Next: lib-graph ingest {tmp_path / 'run'}"


@pytest.mark.slow
def test_quiet_is_quiet(model, tmp_path, capsys):
    assert lib_graph("build", model, "--out", str(tmp_path / "run"), "-q") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_a_manifest_is_a_config_that_builds_the_same_run(model, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    options = ["--basis", "pca", "--tau-pca", "1e-6", "--layers", "ln1.0,m=blocks.0.mlp:in,output"]
    assert lib_graph("build", model, "--out", str(first), "-q", *options) == 0
    config = str(first / "manifest.json")
    assert lib_graph("build", model, "--out", str(second), "-q", "--config", config) == 0
    assert Run.open(first).id == Run.open(second).id
    assert [layer.name for layer in Run.open(second).layers] == ["ln1.0", "m", "output"]


@pytest.mark.slow
def test_the_parameters_that_count_as_biases_can_be_chosen(model, tmp_path):
    names = "unembed.b_U, blocks.0.mlp.b_in"
    assert lib_graph("build", model, "--out", str(tmp_path / "run"), "-q", "--biases", names) == 0
    assert set(Run.open(tmp_path / "run").manifest.model.biases) == set(names.split(", "))


@pytest.mark.slow
def test_a_flag_wins_over_the_config(model, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"basis": "pca"}))
    arguments = ["--config", str(tmp_path / "config.json"), "--basis", "neuron", "-q"]
    assert lib_graph("build", model, "--out", str(tmp_path / "run"), *arguments) == 0
    assert Run.open(tmp_path / "run").manifest.basis == "neuron"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--layers", "ln1.0,ln2"], 2, "Layer 'ln2' not found. Closest: 'ln2.0'."),
        (["--basis", "lob"], 2, "Basis 'lob' not found. Closest: 'lib'."),
        (["--memory", "lots"], 2, "'lots' is not a memory size."),
        pytest.param(["--memory", "100M"], 2, "needs at least", marks=pytest.mark.slow),
        (["--config", "/none"], 2, "cannot be read as JSON"),
        (["--basis", "/none"], 2, "There are no bases at '/none'."),
        (["--bases", "/none"], 2, "There are no bases at '/none'."),
        (["--rule", "trapezoid", "--points", "1"], 2, "cannot have 1 points"),
    ],
)
def test_what_cannot_be_used_is_one_line(model, tmp_path, capsys, arguments, code, words):
    out = tmp_path / "run"
    assert lib_graph("build", model, "--out", str(out), "-q", *arguments) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert words in lines[0]
    assert not (out / "manifest.json").exists()


def test_a_missing_model_is_one_line(tmp_path, capsys):
    assert lib_graph("build", str(tmp_path / "none"), "--out", str(tmp_path / "run")) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert "none" in line


@pytest.mark.slow
def test_another_run_in_the_folder_is_exit_code_4(model, tmp_path, capsys):
    out = str(tmp_path / "run")
    assert lib_graph("build", model, "--out", out, "-q") == 0
    assert lib_graph("build", model, "--out", out, "-q", "--basis", "pca") == 4
    assert "differs in basis" in capsys.readouterr().err
    assert lib_graph("build", model, "--out", out, "-q", "--basis", "pca", "--replace") == 0


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_build_goes_on_later(model, tmp_path):
    """Stands in for a full disk: no file may grow beyond 4 kB."""
    out = tmp_path / "run"
    full = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))"
    building = started("build", model, "--out", str(out), "-q", before=full)
    printed, error = building.communicate()
    assert (building.returncode, printed) == (1, "")
    assert error.startswith("Error: The disk is full")
    assert error.count("\n") == 1
    assert not (out / "manifest.json").exists()
    assert not list(out.glob("*.part"))
    assert lib_graph("build", model, "--out", str(out), "-q") == 0
    Run.open(out)


@pytest.mark.slow
def test_ctrl_c_does_not_hide_an_error_that_is_being_reported(model, tmp_path):
    """A second press, or one that comes too late."""
    pressed = "import os, signal; from queries.cli import main as m\n"
    pressed += "m._line = lambda error: os.kill(os.getpid(), signal.SIGINT) or 'what it was'"
    asked = ("build", model, "--out", str(tmp_path / "run"), "--tau-pca", "7", "-q")
    failing = started(*asked, before=pressed)
    _, error = failing.communicate()
    assert (failing.returncode, error) == (2, "Error: what it was\n")


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(model, tmp_path):
    out = tmp_path / "run"
    building = held("build", model, "--out", str(out), "--rule", "trapezoid", steps=1)
    building.send_signal(signal.SIGINT)
    _, error = building.communicate()
    assert building.returncode == 130
    assert f"To go on: lib-graph build {model} --out {out} --rule trapezoid" in error
    assert "Traceback" not in error
    assert not (out / "manifest.json").exists()
