"""What a pass computes stays on its device: tried without one, on tensors that have no numbers.

Torch's fake tensors say where they are and refuse to meet those of another device, as real ones do.
They have no numbers to decide by, and no way back without a driver. Interactions of `ln1.0` also
take a derivative of the graph as it was traced, which names the processor that it was traced on.
Sections of all kinds are tried in `kinds/test_on_card.py`; on a real card `test_cuda.py` compares
numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace

import pytest
import torch
from safetensors import safe_open
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from lib_graph.building import accumulating, bases_stage, interactions_stage, plan
from lib_graph.building.bases_stage import moments_of, second_moment_of
from lib_graph.building.build import build
from lib_graph.building.interactions_stage import interactions_of
from lib_graph.building.job import prepare
from lib_graph.building.options import Options
from lib_graph.dictionaries.bases_file import read_bases
from lib_graph.method.basis import RawBasis
from lib_graph.method.jacobians import JacobianMoment
from lib_graph.support.progress import SILENT
from tests.lib_graph.nets import transformer_subject
from tests.lib_graph.stopping import StopAfter, StoppedError

pytestmark = pytest.mark.slow
RESTORED = accumulating._restored
CARD = torch.device("cuda", 0)
OPTIONS = {"float64": Options(), "float32": Options(dtype="float32")}


def there(value):
    """Return the same with all its tensors on the card."""
    if isinstance(value, torch.Tensor):
        return value.to(CARD)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: there(getattr(value, f.name)) for f in fields(value)})
    if isinstance(value, Mapping):
        return {key: there(x) for key, x in value.items()}
    return type(value)(map(there, value)) if type(value) in (tuple, list) else value


@contextmanager
def read(path, framework):
    """Open a file of real tensors."""
    with _disable_current_modes(), safe_open(path, framework) as file:
        yield file


def restored(kinds, tensors):
    with _disable_current_modes():
        return RESTORED(kinds, tensors)


class OneWay(TorchDispatchMode):
    """Lets nothing come back from the card."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.device != CARD:
            given = [x for x in args if isinstance(x, torch.Tensor)]
            assert all(x.device != CARD for x in given), f"{func} leaves the card"
        return result


@pytest.fixture
def card(monkeypatch):
    """A card without numbers, on which passes compute, and which they do not leave."""
    own = accumulating.accumulate

    def accumulate(passes, name, samples, part, **options):
        def watched(batch):
            with OneWay():
                return part(batch)

        return own(passes, name, samples, watched, **options)

    for stage in (bases_stage, interactions_stage):
        monkeypatch.setattr(stage, "accumulate", accumulate)
    return FakeTensorMode(allow_non_fake_inputs=True)


def job_there(job, batches):
    """Return a job whose network and data are on the card."""
    batches = {number: there(batch) for number, batch in enumerate(batches)}
    network = there(replace(job.network, figures={}))
    samples = replace(job.samples, network=network, device=CARD, _kept=batches)
    return replace(job, network=network, samples=samples, device=CARD)


PASSES = {
    "means and Gram matrices": lambda job, _: tuple(moments_of(job).values()),
    "Jacobian of ln1.0": lambda job, bases: moment(job, bases, 0),
    "Jacobian of ln2.0": lambda job, bases: moment(job, bases, 1),
    "Jacobian of unembed": lambda job, bases: moment(job, bases, 2),
    "interactions of ln2.0": lambda job, bases: (interactions(job, bases, 1),),
    "interactions of unembed": lambda job, bases: (interactions(job, bases, 2),),
}


def ends(job, bases, number):
    section = job.network.sections[number]
    found = [bases.get(x.name) or RawBasis(x.width) for x in (section.source, section.target)]
    return section, *found


def moment(job, bases, number):
    section, _, following = ends(job, bases, number)
    return (JacobianMoment(1, second_moment_of(job, section, following)),)


def interactions(job, bases, number):
    section, *both = ends(job, bases, number)
    basis, following = map(job.basis, both)
    return interactions_of(job.passes, section, basis, following, job.rule, job.samples)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    run = build(transformer_subject(), tmp_path_factory.mktemp("bases") / "run")
    return read_bases(run.path / "bases.safetensors")


@pytest.mark.parametrize("options", OPTIONS)
def test_a_pass_computes_on_the_card_and_its_sums_come_back(
    options, bases, card, tmp_path, monkeypatch
):
    """Also where it was cut off, and what was summed up till then is read from a file."""
    monkeypatch.setattr(plan, "ROWS", 16)
    for number, (name, of) in enumerate(PASSES.items()):
        job = prepare(transformer_subject(), tmp_path / str(number), OPTIONS[options], SILENT)
        batches = list(job.samples)
        with pytest.raises(StoppedError):
            of(replace(job, progress=StopAfter(name, 1)), bases)
        watched = StopAfter()
        with pytest.MonkeyPatch.context() as patch, card:
            patch.setattr(accumulating, "safe_open", read)
            patch.setattr(accumulating, "_restored", restored)
            patch.setattr(accumulating._Partial, "write", lambda *_: None)  # it has no numbers
            found = of(replace(job_there(job, batches), progress=watched), bases)
        assert watched.seen[name] == [1] * len(batches)  # from where it was cut off
        sums = accumulating._tensors(found).values()
        assert {x.device.type for x in sums} == {"cpu"}
        assert all(isinstance(x, FakeTensor) for x in sums if x.ndim)
