"""Sums over batches: where they are kept, going on where one was cut off, ending early."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from queue import Queue

import pytest
import torch

from lib_graph.building.accumulating import accumulate
from lib_graph.building.build import build
from lib_graph.building.interactions_stage import reached_error
from lib_graph.building.job import prepare
from lib_graph.building.options import Options
from lib_graph.building.plan import LIBRARIES, make_plan
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.method.moments import InteractionMoments, Moments
from lib_graph.run import Run
from lib_graph.support.memory import parse_bytes
from lib_graph.support.processes import World
from lib_graph.support.progress import SILENT
from tests.lib_graph.building.test_build import subject_of
from tests.lib_graph.nets import stacked
from tests.lib_graph.stopping import StopAfter, StoppedError

LAYERS = {"a": "1:in", "c": "2:in", "result": "output"}
INPUTS = torch.randn(40, 2, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
SUBJECT = subject_of(stacked(), INPUTS, LAYERS)
BATCH = 2  # samples, where processes share them


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr("lib_graph.building.plan.ROWS", 16)  # batches of 8 samples


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lib_graph.building.plan.ROWS", 16)
        return build(SUBJECT, tmp_path_factory.mktemp("whole") / "run")


STAGES = ["means and Gram matrices", "Jacobian of c", "Jacobian of a", "interactions of c"]


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("batches", [1, 3])
@pytest.mark.parametrize("stage", STAGES)
def test_a_build_goes_on_after_the_last_batch_and_ends_in_the_same_bytes(
    whole, stage, batches, tmp_path
):
    with pytest.raises(StoppedError):
        build(SUBJECT, tmp_path, progress=StopAfter(stage, batches))
    assert not (tmp_path / "manifest.json").exists()
    watched = StopAfter()
    again = build(SUBJECT, tmp_path, progress=watched)
    assert again.manifest.files == whole.manifest.files
    assert watched.seen[stage] == [batches, *[1] * (5 - batches)]
    earlier = STAGES[: STAGES.index(stage)]
    assert all(watched.seen.get(name, [5]) == [5] for name in earlier)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".lock", "bases.safetensors", "features.parquet", "interactions.parquet", "manifest.json",
    ]  # fmt: skip


@pytest.mark.slow
def test_what_another_build_left_is_not_taken_up(whole, tmp_path):
    with pytest.raises(StoppedError):
        build(SUBJECT, tmp_path, Options(tau_lib=0.5), progress=StopAfter("Jacobian of c", 2))
    watched = StopAfter()
    assert build(SUBJECT, tmp_path, progress=watched).manifest.files == whole.manifest.files
    assert watched.seen["means and Gram matrices"][0] == 0


@pytest.mark.slow
def test_a_damaged_checkpoint_is_not_taken_up(whole, tmp_path):
    with pytest.raises(StoppedError):
        build(SUBJECT, tmp_path, progress=StopAfter("means and Gram matrices", 2))
    (file,) = (tmp_path / ".partial").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:50])
    assert build(SUBJECT, tmp_path).manifest.files == whole.manifest.files


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("keep", ["disk", "nowhere"])
def test_where_activations_are_kept_changes_nothing(whole, keep, tmp_path, monkeypatch):
    seen = []

    def planned(*arguments, **options):
        plan = replace(make_plan(*arguments, **options), keep=keep)
        seen.append(str(plan))
        return plan

    monkeypatch.setattr("lib_graph.building.job.make_plan", planned)
    watched = StopAfter()
    run = build(SUBJECT, tmp_path, progress=watched)
    assert run.manifest.files == whole.manifest.files
    assert {"disk": "kept on disk", "nowhere": "again for every pass"}[keep] in seen[0]
    assert not (tmp_path / ".partial").exists()


@pytest.mark.slow
def test_batches_on_disk_are_read_from_there(tmp_path, monkeypatch):
    job = prepare(SUBJECT, tmp_path, Options(), SILENT)
    samples = replace(job.samples, plan=replace(job.plan, keep="disk"), _kept={})
    first = list(samples)
    assert len(list((tmp_path / ".partial").rglob("*.safetensors"))) == len(samples) == 5
    monkeypatch.setattr("lib_graph.method.network.Network.run", None)  # not needed any more
    for one, other in zip(first, samples, strict=True):
        assert len(other.activations) == 3
        for before, after in zip(one.activations[:-1], other.activations[:-1], strict=True):
            assert torch.equal(before, after)
        assert other.activations[-1].shape == one.activations[-1].shape
        assert other.activations[-1].isnan().all()  # no section starts there
        assert other.start == one.start
    samples.close()
    assert not list((tmp_path / ".partial").rglob("*.safetensors"))


@pytest.mark.slow
def test_memory_goes_before_disk_and_disk_before_computing_again(tmp_path):
    job = prepare(SUBJECT, tmp_path, Options(), SILENT)
    example, samples = (INPUTS[:4],), 10**6

    def keep(memory, disk):
        return make_plan(job.network, example, samples, memory, job.rule, disk=disk).keep

    assert keep(parse_bytes("4G"), 0) == "memory"
    assert keep(LIBRARIES + parse_bytes("50M"), parse_bytes("4G")) == "disk"
    assert keep(LIBRARIES + parse_bytes("50M"), parse_bytes("50M")) == "nowhere"


@pytest.mark.slow
def test_interactions_among_the_first_features(whole, tmp_path):
    run = build(SUBJECT, tmp_path, Options(top=2))
    rows, every = run.interactions, whole.interactions
    assert len(run.features) == len(whole.features)
    inner = rows[rows.target_layer != "result"]
    assert sorted(inner.source.unique()) == [0, 1, 2]
    assert sorted(inner.target.unique()) == [1, 2]
    assert sorted(rows[rows.target_layer == "result"].target.unique()) == [0, 1, 2]
    keys = ["source_layer", "source", "target_layer", "target"]
    both = rows.merge(every, on=keys, suffixes=("", "_all"))
    assert len(both) == len(rows)
    assert both.strength.to_numpy() == pytest.approx(both.strength_all.to_numpy(), rel=1e-12)
    totals = rows[rows.source > 0].groupby(["target_layer", "target"]).share.sum()
    assert totals.to_numpy() == pytest.approx(1)


@pytest.mark.slow
def test_interactions_from_a_sample_of_the_data(whole, tmp_path):
    run = build(SUBJECT, tmp_path / "some", Options(edge_samples=30))
    assert run.manifest.checks["edge_samples.a"] == 30
    every, some = whole.interactions, run.interactions
    assert (every.strength != some.strength).any()
    off = (every.strength - some.strength).abs() / (some.stderr + every.stderr)
    assert off.median() < 2
    assert Run.open(run.path).features.importance.equals(whole.features.importance)


@pytest.mark.slow
def test_a_pass_ends_when_its_interactions_are_known(tmp_path):
    run = build(SUBJECT, tmp_path / "loose", Options(target_error=0.9))
    checks = run.manifest.checks
    for name in ("a", "c"):
        assert checks[f"edge_samples.{name}"] < 40
        assert checks[f"edge_error.{name}"] <= 0.9
    run = build(SUBJECT, tmp_path / "strict", Options(target_error=1e-6))
    checks = run.manifest.checks
    assert checks["edge_samples.a"] == checks["edge_samples.c"] == 40
    assert checks["edge_error.a"] > 1e-6


def test_the_error_that_counts_is_that_of_the_strongest():
    """Into target 0 the source 1 carries 99.5 %; into target 1 two sources are needed."""
    strength = torch.tensor([[9.0, 9.0], [199.0, 50.0], [1.0, 49.0], [0.0, 0.5]]).double()
    relative = torch.tensor([[5.0, 5.0], [0.1, 0.2], [0.9, 0.3], [0.0, 0.9]]).double()
    n = 10
    deviation = (strength * relative).square() * n * (n - 1)
    moments = InteractionMoments(n, n, strength, deviation, strength)
    assert reached_error(moments) == pytest.approx(0.3)
    assert reached_error(InteractionMoments(1, 1, strength, deviation, strength)) == torch.inf


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"top": 0}, "top is 0"),
        ({"edge_samples": 0}, "edge_samples is 0"),
        ({"target_error": 0.0}, "target_error is 0"),
        ({"probes": 1}, "probes is 1"),
    ],
)
def test_options_that_cannot_be_used(options, words):
    with pytest.raises(UsageError, match=words):
        Options(**options)


def test_a_device_that_is_not_there(tmp_path):
    with pytest.raises(NotFoundError, match="Closest: 'cuda'"):
        build(SUBJECT, tmp_path, device="cudo")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="There is no device cuda:0 here"):
            build(SUBJECT, tmp_path, device="cuda")


@dataclass(frozen=True)
class Thread(World):
    """One of two processes of a build, as a thread of this one; `inbox` is what it is sent."""

    inbox: Queue = field(default_factory=Queue)
    other: Queue = field(default_factory=Queue)

    def gathered(self, tensors):
        self.other.put(tensors)
        if (theirs := self.inbox.get(timeout=100)) is None:
            raise StoppedError
        return [tensors, theirs] if self.first else [theirs, tensors]


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    return prepare(SUBJECT, tmp_path_factory.mktemp("two"), Options(), SILENT)


def pass_of_two(alone, folder, stops=(None, None), looking=None):
    """What a pass of two processes gives each, and the batches that each has seen.

    They look at it after every second batch, and after the sixth it is enough. `stops` says after
    how many a process is cut off, `looking` which one is where it is enough.
    """
    inboxes = [Queue(), Queue()]
    watched = [StopAfter("pass", stop or 10**6) for stop in stops]

    def one(rank):
        def enough(parts):
            if (ends := parts[0].count >= 6 * 2 * BATCH * 2) and rank == looking:
                raise StoppedError
            return ends

        world = Thread(rank, 2, inbox=inboxes[rank], other=inboxes[1 - rank])
        job = replace(alone, out=folder, world=world, progress=watched[rank])
        samples = replace(job.samples, plan=replace(job.plan, batch=BATCH), _kept={})
        try:
            return accumulate(
                job.passes,
                "pass",
                samples,
                lambda b: (Moments.of(b.activations[0]),),
                enough=enough,
            )[0]
        except StoppedError:
            world.other.put(None)
            return None

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(one, range(2)))
    return found, [each.seen["pass"] for each in watched]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cut_off", "done"),
    [
        ({"stops": (3, 3)}, (3, 3)),
        ({"stops": (5, 4)}, (5, 4)),
        ({"stops": (2, 3)}, (2, 3)),
        ({"looking": 1}, (6, 5)),
        ({"looking": 0}, (5, 6)),
    ],
)
def test_processes_that_were_cut_off_apart_end_together(job, cut_off, done, tmp_path, monkeypatch):
    monkeypatch.setattr("lib_graph.building.accumulating.LOOK", 4 * BATCH)
    (whole, other), batches = pass_of_two(job, tmp_path / "whole")
    assert [sum(each) for each in batches] == [6, 6]
    assert torch.equal(whole.gram, other.gram)
    pass_of_two(job, tmp_path, **cut_off)
    found, batches = pass_of_two(job, tmp_path)
    assert [each[0] for each in batches] == list(done)
    assert [sum(each) for each in batches] == [6, 6]
    assert all(torch.equal(each.gram, whole.gram) and each.count == whole.count for each in found)


@pytest.mark.slow
def test_a_process_that_was_killed_catches_up(job, tmp_path, monkeypatch):
    monkeypatch.setattr("lib_graph.building.accumulating.LOOK", 4 * BATCH)
    whole = pass_of_two(job, tmp_path / "whole")[0][0]
    pass_of_two(job, tmp_path, stops=(5, 4))
    (file,) = (tmp_path / ".partial").glob("*.1-2.safetensors")
    file.unlink()
    found, batches = pass_of_two(job, tmp_path)
    assert [each[0] for each in batches] == [5, 0]
    assert [sum(each) for each in batches] == [6, 6]
    assert all(torch.equal(each.gram, whole.gram) for each in found)
