"""Ablations that are cut off go on, keep to their memory, and end in the same numbers."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import lib_graph
from lib_graph.analysis.ablation import (
    Bench,
    ablate_circuit,
    ablate_edges,
    ablate_nodes,
    write_ablation,
)
from lib_graph.analysis.ablation import bench as bench_module
from lib_graph.building import plan
from lib_graph.data.evaluation import Evaluation, Metric
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.support.memory import _Watch
from tests.lib_graph.analysis.ablation.benches import two_positions, whole
from tests.lib_graph.stopping import StoppedError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    subject = two_positions()
    folder = tmp_path_factory.mktemp("run")
    return lib_graph.build(subject, folder, lib_graph.Options(basis="neuron")), subject


@pytest.fixture
def count(monkeypatch):
    """Call an ablation on a new bench, cut off after some scores; what it gives, and their number.

    A batch has 8 of the 30 samples.
    """
    monkeypatch.setattr(bench_module, "ROWS", 16)
    total = Metric.total

    def called(ablation, made, stop=None):
        bench, seen = Bench.of(made[0], subject=made[1], dtype=torch.float64), []

        def counted(*arguments):
            if len(seen) == stop:
                raise StoppedError
            seen.append(arguments)
            return total(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(Metric, "total", counted)
            try:
                return ablation(bench), len(seen)
            except StoppedError:
                return None, len(seen)

    return called


def edges(bench):
    found = ablate_edges(bench, delta=0.05, layers=["a", "c"])
    return found.rows.to_dict("records"), found.masks.to_dict("records")


def circuit(bench):
    every = whole(bench)
    some = every.model_copy(update={"interactions": every.interactions[::3]})
    return ablate_circuit(bench, some, draws=3)


@pytest.mark.slow
@pytest.mark.parametrize("ablation", [edges, circuit], ids=lambda ablation: ablation.__name__)
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_no_batch_is_scored_twice(ablation, share, made, count):
    found, scores = count(ablation, made)
    assert scores > 10
    Bench.of(made[0], subject=made[1], dtype=torch.float64).close()
    done = int(share * scores)
    assert count(ablation, made, stop=done) == (None, done)
    again, others = count(ablation, made)
    assert str(again) == str(found)
    assert done + others == scores
    bench = Bench.of(made[0], subject=made[1], dtype=torch.float64)
    bench.close()


@pytest.mark.slow
def test_nodes_go_on_after_the_last_batch(made, count):
    def nodes(bench):
        return ablate_nodes(bench, layers=["c"], counts=[1, 2, 3], seed=4).to_dict("records")

    found, scores = count(nodes, made)
    bench = Bench.of(made[0], subject=made[1], dtype=torch.float64)
    bench.close()
    assert count(nodes, made, stop=7) == (None, 7)  # in the third batch of three scores each
    again, others = count(nodes, made)
    assert str(again) == str(found)
    assert others == scores - 6
    write_ablation(bench, ablate_nodes(bench, layers=["c"], counts=[2]))
    assert not list(made[0].path.glob(".partial*"))


@pytest.mark.slow
def test_too_little_memory_and_no_device_are_one_line(made):
    with pytest.raises(UsageError, match=r"needs at least 5\d\d MiB of memory.*--memory"):
        Bench.of(made[0], subject=made[1], memory=plan.LIBRARIES)
    with pytest.raises(NotFoundError, match="Closest: 'cuda'"):
        Bench.of(made[0], subject=made[1], device="cudo")


@pytest.mark.slow
def test_ablations_keep_to_their_memory(tmp_path, monkeypatch):
    """With little there is no room for what masks have in common; the scores are the same."""
    monkeypatch.setattr(bench_module, "ROWS", 1 << 20)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1024, 32, 1, generator=generator)
    module = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 8))
    targets = torch.randint(0, 8, (1024, 32), generator=generator)
    evaluation = Evaluation("random", (x,), targets, metric="cross-entropy")
    subject = lib_graph.Subject.of(module, x, ("x=0:in", "h=2:in", "output"))
    subject = replace(subject, evaluation=evaluation)
    options = lib_graph.Options(basis="neuron", dtype="float32", edge_samples=8)
    run = lib_graph.build(subject, tmp_path, options)
    found = {}
    for room in (4 << 20, 128 << 20):
        bench = Bench.of(run, subject=subject, memory=plan.LIBRARIES + room)
        with _Watch() as watch:
            nodes = ablate_nodes(bench, layers=["h"], counts=[1, 9])
            required = ablate_edges(bench, layers=["h"], delta=0.5)
        assert watch.peak - x.nbytes <= room
        found[room] = bench.columns, len(bench.samples), nodes, required
        bench.close()
    (few, many, *little), (more, once, *much) = found.values()
    assert (few, more) == (False, True)
    assert many > once
    for one, other in ((little[0], much[0]), (little[1].rows, much[1].rows)):
        assert one["score"].tolist() == pytest.approx(other["score"].tolist(), rel=1e-6)
