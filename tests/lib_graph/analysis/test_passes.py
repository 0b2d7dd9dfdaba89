"""What is asked of a run passes over its data as a build does: in its memory, and going on."""

from contextlib import contextmanager

import pytest
import torch
from torch import nn

import lib_graph
from lib_graph.analysis.degeneracy.tables import degeneracy_of
from lib_graph.building import plan
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.networks.subject import Subject
from lib_graph.support.memory import _Watch
from lib_graph.support.progress import Silent
from tests.lib_graph.nets import STACKED, stacked
from tests.lib_graph.stopping import StopAfter, StoppedError

SAMPLES = 40


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(plan, "ROWS", 16)  # of 8 samples


def subject():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(SAMPLES, 2, 3, generator=generator, dtype=torch.float64)
    return Subject("stacked", "tests", stacked(), (x,), "random", STACKED)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("passes")
    return [build(subject(), folder / name, Options(basis=name)) for name in ("pca", "neuron")]


def examples(runs, folder, **options):
    lib_graph.find_examples(runs[0], subject(), count=3, replace=True, **options)
    return {
        name: rows
        for pattern in ("examples.parquet", "histograms.parquet")
        for name, rows in contents(runs[0].path, pattern).items()
    }


def match(runs, folder, **options):
    lib_graph.match_runs(*runs, subject(), subject(), replace=True, **options)
    return contents(runs[0].path, "matches-*.parquet")


def trace(runs, folder, **options):
    lib_graph.trace(runs[0], folder / "trace", 5, subject=subject(), **options)
    return contents(folder / "trace", "*.parquet")


def degeneracy(runs, folder, **options):
    return degeneracy_of(runs[0], subject(), **options).json_value()


def contents(folder, pattern):
    return {path.name: path.read_bytes() for path in folder.glob(pattern)}


VERBS = {
    examples: "examples", match: "matching", trace: "interactions of c", degeneracy: "Jacobian of b"
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
def test_a_verb_goes_on_where_it_was_cut_off_and_ends_in_the_same_bytes(verb, runs, tmp_path):
    whole = verb(runs, tmp_path / "whole")
    assert whole
    stage, done = VERBS[verb], 1 if verb is trace else 2
    with pytest.raises(StoppedError):
        verb(runs, tmp_path / "cut", progress=StopAfter(stage, done))
    watched = StopAfter()
    assert verb(runs, tmp_path / "cut", progress=watched) == whole
    assert watched.seen[stage][0] == done
    assert sum(watched.seen[stage]) == (1 if verb is trace else SAMPLES // 8)
    for folder in (*(run.path for run in runs), tmp_path / "cut" / "trace"):
        assert not list(folder.glob(".partial*"))


@pytest.mark.slow
def test_what_was_left_unfinished_of_another_question_is_not_taken_up(runs):
    with pytest.raises(StoppedError):
        examples(runs, None, progress=StopAfter("examples", 2))
    watched = StopAfter()
    lib_graph.find_examples(runs[0], subject(), count=4, replace=True, progress=watched)
    assert watched.seen["examples"][0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
def test_too_little_memory_says_how_much_is_needed(verb, runs, tmp_path):
    with pytest.raises(UsageError, match=r"needs at least 5\d\d MiB of memory.*--memory"):
        verb(runs, tmp_path, memory=plan.LIBRARIES)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)
def test_a_device_that_is_not_there_is_one_line(verb, runs, tmp_path):
    with pytest.raises(NotFoundError, match="Closest: 'cuda'"):
        verb(runs, tmp_path, device="cudo")


class Measured(Silent):
    """Progress that knows how many batches a pass had, and what all passes took beside the data.

    That is measured as a plan does it: by the tensors that live at one time.
    """

    def __init__(self, data):
        self.data, self.peak = data, 0

    @contextmanager
    def stage(self, name, total):
        with _Watch() as watch:
            yield lambda n: None
        self.batches = total
        self.peak = max(self.peak, watch.peak - self.data.nbytes)  # a batch is a view of them


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Two runs of a network whose activations are what takes memory."""
    x = torch.randn(2048, 64, 1, generator=torch.Generator().manual_seed(0))
    module = nn.Sequential(nn.Linear(1, 64), nn.ReLU(), nn.Linear(64, 8))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(
                torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
            )
    subject = Subject.of(module, x, ("x=0:in", "h=2:in", "output"))
    folder = tmp_path_factory.mktemp("wide")
    options = [Options(basis=name, dtype="float32", edge_samples=8) for name in ("neuron", "pca")]
    runs = [build(subject, folder / str(each.basis), each) for each in options]
    return runs, subject


def examples_of_wide(runs, subject, **options):
    lib_graph.find_examples(runs[0], subject, count=3, replace=True, **options)


def match_wide(runs, subject, **options):
    lib_graph.match_runs(*runs, subject, subject, replace=True, **options)


def degeneracy_of_wide(runs, subject, **options):
    degeneracy_of(runs[0], subject, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    "verb", [examples_of_wide, match_wide, degeneracy_of_wide], ids=lambda verb: verb.__name__
)
def test_a_verb_keeps_to_its_memory(verb, wide, monkeypatch):
    monkeypatch.setattr(plan, "ROWS", 1 << 20)
    little, more = (Measured(wide[1].inputs[0]) for _ in range(2))
    verb(*wide, memory=plan.LIBRARIES + (4 << 20), progress=little)
    verb(*wide, memory=plan.LIBRARIES + (32 << 20), progress=more)
    assert little.peak <= 4 << 20 < more.peak <= 32 << 20
    assert little.batches > more.batches > 1
