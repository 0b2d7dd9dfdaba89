"""Estimates and their errors, in a build that is cut off and goes on."""

import json

import pytest
import torch

from lib_graph.building import plan
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.networks.subject import Subject
from tests.lib_graph.nets import STACKED, stacked
from tests.lib_graph.stopping import StopAfter, StoppedError

ESTIMATED = Options(probes=3, target_error=0.2)
PASSES = ["means and Gram matrices", "Jacobian of b", "interactions of c"]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(plan, "ROWS", 16)


def subject():
    x = torch.randn(70, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return Subject("stacked", "tests", stacked(), (x,), "random", STACKED)


def contents(folder):
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}
    manifest = json.loads(files.pop("manifest.json"))
    del manifest["created"], manifest["timings"]
    return files, manifest


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The contents of a run that was not cut off."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "ROWS", 16)
        build(subject(), folder, ESTIMATED)
    return contents(folder)


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("stage", PASSES)
def test_what_is_estimated_is_the_same_after_an_interruption(whole, stage, tmp_path):
    """Its error too, which only the manifest tells."""
    with pytest.raises(StoppedError):
        build(subject(), tmp_path, ESTIMATED, progress=StopAfter(stage, 2))
    watched = StopAfter()
    build(subject(), tmp_path, ESTIMATED, progress=watched)
    assert watched.seen[stage][0] == 2
    assert contents(tmp_path) == whole
    checks = whole[1]["checks"]
    assert {name for name in "abcd" if f"probe_error.{name}" in checks} == {"a", "b", "c"}
    assert all(f"edge_error.{name}" in checks for name in "abcd")
