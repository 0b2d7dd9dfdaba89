"""A build that is cut off goes on where it was, and ends in the same bytes."""

import json
from contextlib import contextmanager
from functools import cache

import pytest
import torch

from lib_graph import plan
from lib_graph.building import build
from lib_graph.networks.subject import Subject
from lib_graph.options import Options
from tests.lib_graph.nets import STACKED, stacked

PLAIN = Options()
ESTIMATED = Options(probes=3, target_error=0.2)
PASSES = ["means and Gram matrices", "Jacobian of b", "interactions of c"]


class StoppedError(Exception):
    """Raised where a build is to be cut off."""


class Stopping:
    """Progress that cuts a build off when a stage has done so many of its steps."""

    def __init__(self, stage="", steps=0):
        self.stage_name, self.steps = stage, steps
        self.seen = {}

    @contextmanager
    def stage(self, name, total):
        self.seen[name] = []

        def advance(n):
            self.seen[name].append(n)
            if name == self.stage_name and sum(self.seen[name]) >= self.steps:
                raise StoppedError

        yield advance

    def say(self, line):
        pass


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
    """Return what gives the contents of runs that were not cut off, each built once."""

    @cache
    def of(options):
        folder = tmp_path_factory.mktemp("whole")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plan, "ROWS", 16)
            build(subject(), folder, options)
        return contents(folder)

    return of


@pytest.mark.slow
@pytest.mark.parametrize("options", [PLAIN, ESTIMATED], ids=["exact", "estimated"])
@pytest.mark.parametrize("stage", PASSES)
def test_cut_off_after_some_batches(whole, options, stage, tmp_path):
    with pytest.raises(StoppedError):
        build(subject(), tmp_path, options, progress=Stopping(stage, 2))
    assert not (tmp_path / "manifest.json").exists()
    watched = Stopping()
    build(subject(), tmp_path, options, progress=watched)
    assert watched.seen[stage][0] == 2
    assert contents(tmp_path) == whole(options)


def test_cut_off_again_and_again(whole, tmp_path):
    for stage in (*PASSES, "interactions of d"):
        with pytest.raises(StoppedError):
            build(subject(), tmp_path, progress=Stopping(stage, 3))
    build(subject(), tmp_path)
    assert contents(tmp_path) == whole(PLAIN)


@pytest.mark.slow
def test_estimates_leave_their_errors_in_the_manifest(whole):
    checks = whole(ESTIMATED)[1]["checks"]
    assert {name for name in "abcd" if f"probe_error.{name}" in checks} == {"a", "b", "c"}
    assert all(f"edge_error.{name}" in checks for name in "abcd")


@pytest.mark.slow
def test_other_batches_are_not_gone_on_with(tmp_path, monkeypatch):
    with pytest.raises(StoppedError):
        build(subject(), tmp_path, progress=Stopping(PASSES[0], 2))
    monkeypatch.setattr(plan, "ROWS", 8)
    watched = Stopping()
    build(subject(), tmp_path, progress=watched)
    assert watched.seen[PASSES[0]][0] == 0
