"""Sums over all batches of a pass, shared by all processes, that go on where they were cut off.

Builds, and all that is asked of a run afterwards, pass over their data in this one way.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import reduce
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lib_graph.building.passes import Passes
from lib_graph.building.samples import LOOK, Samples
from lib_graph.data.evaluation import Total
from lib_graph.method.jacobians import JacobianMoment
from lib_graph.method.moments import InteractionMoments, Moments, Spread
from lib_graph.method.network import Batch
from lib_graph.support.devices import CPU, sums_on
from lib_graph.support.files import json_sha256, whole_file
from lib_graph.support.precision import products

__all__ = ["Mergeable", "accumulate", "mergeable"]

SAVE_EVERY = 30.0  # seconds
KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Moments, Spread, JacobianMoment, InteractionMoments, Total)
}
LOOK_GROWTH = 1.25  # of the samples that are done, from one look at the result to the next


class Mergeable(Protocol):
    """A frozen dataclass of numbers and tensors that says something of some samples.

    It is one of KINDS, by its name: the method's own are, others are declared `mergeable`.
    """

    def merge(self: MergeableT, other: MergeableT) -> MergeableT:
        """Return the same of both."""
        ...


MergeableT = TypeVar("MergeableT", bound=Mergeable)
Parts = tuple[MergeableT, ...]
KindT = TypeVar("KindT")


def mergeable(kind: type[KindT]) -> type[KindT]:
    """Let a class be read again, by its name, from where a pass that was cut off has left it."""
    assert KINDS.setdefault(kind.__name__, kind) is kind, f"two kinds are called {kind.__name__}"
    return kind


def accumulate(
    passes: Passes,
    name: str,
    samples: Samples,
    part: Callable[[Batch], Parts[MergeableT]],
    *,
    enough: Callable[[Parts[MergeableT]], bool] | None = None,
) -> Parts[MergeableT]:
    """Return what `part` gives, merged over all batches in order, then over all processes.

    The sums stay where the batches are until all are in, and come back on the processor. A card
    takes float32 in full, whatever torch is set to, unless `part` says otherwise.
    Of several processes each takes every so-many-th batch. Where the build was cut off in this
    pass, it goes on after the last batch, and ends in the same bits. `enough` ends the pass early;
    all processes together ask it after 32, 64, 96, … samples, ever more rarely.
    """
    mine = range(passes.world.rank, len(samples), passes.world.size)
    rounds = len(samples) // passes.world.size  # that all processes take part in
    each = samples.plan.batch * passes.world.size  # samples in a round
    file = _Partial(passes, name, samples)
    so_far = file.read()
    asked, end = (0, len(mine)) if enough is None else _asked(passes, so_far, len(mine))
    with passes.stage(name, len(mine)) as advance, products(tf32=False):
        advance(so_far.done)
        try:
            while so_far.done < end and not so_far.finished:
                done = so_far.done + 1
                parts = _merged(so_far.parts, part(samples[mine[so_far.done]]))
                asks = asked < done <= rounds and _looks((done - 1) * each, done * each)
                finished = asks and enough is not None and enough(_of_all(passes, parts))
                so_far = _Sum(done, parts, finished)
                advance(1)
                file.keep(so_far)
        finally:
            file.write(so_far)
    return _on(CPU, _of_all(passes, so_far.parts))


class _Sum(NamedTuple):
    """The merged parts of so many batches; `finished` if no more are wanted."""

    done: int
    parts: Parts[Any] | None
    finished: bool


def _asked(passes: Passes, so_far: _Sum, most: int) -> tuple[int, int]:
    """Return up to where `enough` was asked before the pass was cut off, and where it ends.

    No process comes past a round in which it is asked without all others. So what one of them has
    done was not enough for any of them, and where one has finished all do.
    """
    own = {"done": torch.tensor(so_far.done), "finished": torch.tensor(so_far.finished)}
    found = [(int(each["done"]), bool(each["finished"])) for each in passes.world.gathered(own)]
    return max(done for done, _ in found), min((done for done, yes in found if yes), default=most)


def _looks(before: int, after: int) -> bool:
    """Return whether the result is looked at between so many samples and so many.

    >>> [n // LOOK for n in range(LOOK, 20 * LOOK, LOOK) if _looks(n - LOOK, n)]
    [1, 2, 3, 4, 5, 7, 9, 12, 15, 19]
    """
    look = 1
    while look * LOOK <= before:
        look = math.ceil(look * LOOK_GROWTH)
    return look * LOOK <= after


def _merged(total: Parts[MergeableT] | None, found: Parts[MergeableT]) -> Parts[MergeableT]:
    if total is None:
        return found
    return tuple(one.merge(other) for one, other in zip(total, found, strict=True))


def _of_all(passes: Passes, parts: Parts[MergeableT] | None) -> Parts[MergeableT]:
    """Return the merged parts of all processes."""
    assert parts is not None
    if passes.world.size == 1:
        return parts
    kinds = [type(each) for each in parts]
    gathered = passes.world.gathered(_tensors(parts))
    return reduce(_merged, [_restored(kinds, tensors) for tensors in gathered])


def _on(device: torch.device, parts: Parts[Any]) -> Parts[Any]:
    """Return the same parts with their tensors on a device, and numbers as numbers."""

    def moved(value: Tensor | float) -> Tensor | float:
        if not isinstance(value, Tensor):
            return value
        return value.to(device) if value.ndim else value.item()

    return tuple(
        type(each)(**{field.name: moved(getattr(each, field.name)) for field in fields(each)})
        for each in parts
    )


def _tensors(state: Parts[Any]) -> dict[str, Tensor]:
    return {
        f"{i}.{field.name}": _tensor(getattr(each, field.name))
        for i, each in enumerate(state)
        for field in fields(each)
    }


def _tensor(value: Tensor | float) -> Tensor:
    exactly = torch.float64 if isinstance(value, float) else None
    return torch.as_tensor(value, dtype=exactly)


def _restored(kinds: Sequence[type[Any]], tensors: Mapping[str, Tensor]) -> Parts[Any]:
    def value(tensor: Tensor) -> Tensor | float:
        return tensor if tensor.ndim else tensor.item()

    return tuple(
        kind(**{field.name: value(tensors[f"{i}.{field.name}"]) for field in fields(kind)})
        for i, kind in enumerate(kinds)
    )


class _Partial:
    """The file of a pass that is not finished, of one process."""

    def __init__(self, passes: Passes, name: str, samples: Samples) -> None:
        plan = [samples.plan.batch, samples.plan.chunk, len(samples)]
        self._made_from = json_sha256({"origin": passes.origin, "plan": plan})
        file = f"{json_sha256(name)[:16]}.{passes.world.rank}-{passes.world.size}.safetensors"
        self._path = None if passes.partial is None else passes.partial / file
        self._saved = time.monotonic()
        self._device = samples.device

    def read(self) -> _Sum:
        """Return what was saved of the same pass of the same build, or an empty sum."""
        nothing = _Sum(0, None, False)
        if self._path is None or not self._path.is_file():
            return nothing
        try:
            with safe_open(self._path, framework="pt") as file:
                said = file.metadata() or {}
                if said.get("made_from") != self._made_from:
                    return nothing
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError:
            return nothing
        names = json.loads(said["kinds"])
        if not set(names) <= set(KINDS):  # written by a version that called them otherwise
            return nothing
        kinds = [KINDS[name] for name in names]
        parts = _on(sums_on(self._device), _restored(kinds, tensors))
        return _Sum(int(said["done"]), parts, said["finished"] == "True")

    def keep(self, so_far: _Sum) -> None:
        """Save a sum, if it is some time since one was saved."""
        if time.monotonic() - self._saved > SAVE_EVERY:
            self.write(so_far)

    def write(self, so_far: _Sum) -> None:
        """Save a sum, whole or not at all."""
        if self._path is None or so_far.parts is None:
            return
        said = {
            "made_from": self._made_from,
            "kinds": json.dumps([type(each).__name__ for each in so_far.parts]),
            "done": str(so_far.done),
            "finished": str(so_far.finished),
        }
        tensors = {name: t.cpu().contiguous() for name, t in _tensors(so_far.parts).items()}
        with whole_file(self._path) as temporary:
            temporary.write_bytes(save(tensors, metadata=said))
        self._saved = time.monotonic()
