"""Where a build computes, and what is said where it cannot."""

import pytest
import torch

from lib_graph.errors import NotFoundError, UsageError
from lib_graph.support.devices import CPU, device_named, exact
from queries.cli.main import main


def test_the_processor():
    assert device_named("cpu", torch.float64) == CPU


@pytest.mark.parametrize("name", ["gpu", "cuda:x", ""])
def test_an_unknown_device(name):
    with pytest.raises(NotFoundError, match="Choose one of cpu, cuda, mps"):
        device_named(name, torch.float64)


def test_a_device_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(UsageError, match=r"no device cuda:2 here \(PyTorch finds 2\)"):
        device_named("cuda:2", torch.float32)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UsageError, match=r"no device mps:0 here"):
        device_named("mps", torch.float32)


def test_every_process_takes_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert device_named("cuda", torch.float64) == torch.device("cuda", 3)
    assert device_named("cuda:1", torch.float64) == torch.device("cuda", 1)


def test_mps_has_no_float64():
    with pytest.raises(UsageError, match="Add --dtype float32"):
        device_named("mps", torch.float64)


def test_sums_are_exact():
    assert exact(torch.ones(2)).dtype == torch.float64


def test_a_missing_device_is_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(SystemExit) as stop:
        main(["build", "model", "--out", str(tmp_path / "run"), "--device", "cuda"])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "Error: There is no device cuda:0 here (PyTorch finds 0). Use --device cpu."
