"""Activations kept in memory, on disk, or not at all."""

from dataclasses import replace

import pytest
import torch

from lib_graph.building import job
from lib_graph.building.build import build
from lib_graph.building.plan import Plan
from lib_graph.building.samples import Samples
from lib_graph.errors import ModelError, UsageError
from lib_graph.method.network import Batch
from tests.lib_graph.building.test_resuming import subject
from tests.lib_graph.nets import stacked_network

KEPT = ["memory", "disk", "nowhere"]


@pytest.fixture
def keep(request, monkeypatch):
    """Let builds keep activations in a place, in batches of 4 samples."""
    made = job.make_plan

    def make(*args, **kwargs):
        return replace(made(*args, **kwargs), keep=request.param, batch=4)

    monkeypatch.setattr(job, "make_plan", make)
    return request.param


def samples(keep, folder, **more):
    _, network, inputs = stacked_network()
    plan = Plan(batch=4, chunk=2, keep=keep, peak=0)
    return Samples(network, (inputs,), plan, folder=folder, **more)


def count_runs(monkeypatch, found):
    calls = []
    run = found.network.run

    def counted(*inputs):
        calls.append(len(inputs[0]))
        return run(*inputs)

    object.__setattr__(found.network, "run", counted)
    return calls


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("keep", KEPT)
def test_one_forward_pass_if_they_are_kept(keep, tmp_path, monkeypatch):
    found = samples(keep, tmp_path / "kept")
    calls = count_runs(monkeypatch, found)
    first, second = list(found), list(found)
    assert calls == ([4, 2] if keep != "nowhere" else [4, 2, 4, 2])
    assert [batch.start for batch in second] == [0, 4]
    for one, other in zip(first, second, strict=True):
        for layer in found.network.layers:
            assert torch.equal(one.activations[layer.index], other.activations[layer.index])


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("keep", ["memory", "disk"])
def test_values_of_the_last_layer_can_be_left_out(keep, tmp_path):
    found = samples(keep, tmp_path / "kept", last=False)
    first, again = found[0], found[0]
    assert again.activations[-1].shape == first.activations[-1].shape
    assert again.activations[-1].isnan().all()
    assert torch.equal(again.activations[-2], first.activations[-2])


@pytest.mark.slow
def test_files_go_when_they_are_closed(tmp_path):
    found = samples("disk", tmp_path / "kept")
    batch: Batch = found[0]
    assert list((tmp_path / "kept").iterdir())
    found.close()
    assert not (tmp_path / "kept").exists()
    assert len(batch) == 4


def failing(*_):
    raise ModelError("no")


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["disk"], indirect=True)
def test_files_go_when_a_build_fails(keep, tmp_path, monkeypatch):
    monkeypatch.setattr("lib_graph.building.bases_stage.lib_basis", failing)
    with pytest.raises(ModelError):
        build(subject(), tmp_path)
    assert not list(tmp_path.rglob("*activations*"))


@pytest.mark.slow
def test_chosen_samples_come_in_their_order(tmp_path):
    found = samples("memory", None)
    which = torch.tensor([5, 0, 3, 1, 2])
    some = found.chosen(which, 1, looks=False)
    whole = torch.cat([batch.activations[0] for batch in found])
    assert torch.equal(torch.cat([batch.activations[0] for batch in some]), whole[which])
    assert len(found.chosen(which, 5, looks=False)) == 5
    with pytest.raises(UsageError, match=r"6 processes cannot share so few samples \(5\)"):
        found.chosen(which, 6, looks=False)
