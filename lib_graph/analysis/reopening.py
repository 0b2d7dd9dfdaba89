"""A finished run's network again, for what is asked of it after the build."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from lib_graph.building.job import cut_or_recorded, first_samples
from lib_graph.building.origin import tensors_sha256
from lib_graph.building.passes import Passes
from lib_graph.building.plan import Plan, plan_passes
from lib_graph.building.samples import Samples
from lib_graph.cutting.copies import converted, in_precision
from lib_graph.data.text import Text
from lib_graph.dictionaries.bases_file import given_bases
from lib_graph.dictionaries.transcoders_file import read_transcoders
from lib_graph.errors import ConflictError, ModelError, UsageError
from lib_graph.method.dictionary import Basis
from lib_graph.method.network import Batch, Network
from lib_graph.networks import Subject, load_subject
from lib_graph.run import Manifest, Run
from lib_graph.run.config import BuildConfig
from lib_graph.run.kept import Origin
from lib_graph.run.schema import UNFINISHED
from lib_graph.support import defaults
from lib_graph.support.devices import CPU, device_named
from lib_graph.support.progress import USUAL, Progress

__all__ = [
    "Reopened",
    "cut_again",
    "in_bases_of",
    "passes_of",
    "refuse_stand_ins",
    "reopened",
    "reopened_network",
    "text_of",
]


@dataclass(frozen=True)
class Reopened:
    """The network of a run, cut into its sections, with the bases of all its layers.

    Network and bases are in the precision that was asked for.
    """

    subject: Subject
    network: Network
    bases: dict[str, Basis]
    device: torch.device = CPU

    @property
    def dtype(self) -> torch.dtype:
        """The precision of network and bases."""
        return self.bases[self.network.layers[0].name].rotation.dtype

    @property
    def example(self) -> tuple[Tensor, ...]:
        """A few samples, to plan on."""
        found = (converted(first_samples(x), self.dtype) for x in self.subject.inputs)
        return tuple(x.to(self.device) for x in found)

    def selected(self, chosen: Int[Tensor, " n"]) -> Reopened:
        """Return the network with some of its data, by the numbers of the samples."""
        inputs, counted = self.subject.inputs, self.subject.counted
        fewer = replace(
            self.subject,
            inputs=tuple(x[chosen] for x in inputs),
            counted=None if counted is None else counted[chosen],
        )
        return replace(self, subject=fewer)

    def planned(
        self,
        parts: Sequence[Callable[[Batch, int], Sequence[object]]],
        memory: int,
        *beside: Reopened,
        keep: bool = False,
    ) -> Samples:
        """Return the data, in batches in which `parts` keep to so many bytes of memory.

        The `beside` are networks that run on the same data. With `keep`, as for several passes,
        activations are kept where they fit, but for those of the last layer. Raises what
        `plan_passes` does.
        """
        subject, networks = self.subject, [each.network for each in (self, *beside)]
        size = len(subject.inputs[0])
        plan = plan_passes(networks, self.example, size, memory, parts, keep=keep)
        return self.samples(plan, last=not keep)

    def samples(self, plan: Plan, *, last: bool = True) -> Samples:
        """Return the data in the batches of a plan; `last` is as in `Samples`."""
        inputs = [converted(x, self.dtype) for x in self.subject.inputs]
        counted, device = self.subject.counted, self.device
        return Samples(self.network, inputs, plan, counted, device, last=last)


def passes_of(run: Run, verb: str, origin: Origin, progress: Progress) -> Passes:
    """Return what the passes have in common that a verb makes for what is asked of a run.

    What they have not finished is in a folder of the verb's in the run's.
    """
    return Passes(origin, run.path / f"{UNFINISHED}-{verb}", progress)


def reopened(run: Run, subject: Subject | None = None, progress: Progress = USUAL) -> Subject:
    """Return the network of a run, with its data and the layers of the run.

    It is loaded from where the build found it, unless `subject` is given: a module that was built
    in a Python session is nowhere to be found. Weights and data must be those of the build.

    Raises ModelError if the network is not there any more, ConflictError if it has changed.
    """
    manifest = run.manifest
    if subject is None:
        try:
            with progress.stage(f"loading the model of run {run.id}", 1):
                subject = _loaded(manifest)
        except (ModelError, UsageError) as error:
            raise ModelError(
                f"The network of run {run.id}, {manifest.model.source!r}, cannot be loaded again. "
                f"{error}"
            ) from error
    weights = tensors_sha256(subject.module.state_dict().items())
    _check(run, "weights", weights, manifest.model.sha256)
    _check(run, "data", tensors_sha256(subject.tensors()), manifest.data.sha256)
    layers = dict(manifest.config.layers)
    read = read_transcoders(run.path / "bases.safetensors")
    stand_ins = {layer: read[layer] for layer in layers if layer in read}
    return replace(subject, layers=layers, stand_ins=stand_ins)


def reopened_network(
    run: Run,
    subject: Subject | None = None,
    dtype: torch.dtype | None = None,
    device: str = defaults.DEVICE,
    progress: Progress = USUAL,
    *,
    derivatives: bool = True,
) -> Reopened:
    """Return the network of a run, cut at its layers, and the bases of the layers.

    `dtype` is the precision of both (default: that of the build), `device` where they are. What
    takes no `derivatives` spares their checks, which the build has made.

    Raises what `reopened` does, RunError if the bases do not fit the network, and UsageError for a
    device that is not there.
    """
    opened = reopened(run, subject, progress)
    return cut_again(run, opened, dtype, device, derivatives=derivatives)


def refuse_stand_ins(found: Reopened, verb: str) -> None:
    """Raise UsageError for a network in which transcoders stand in, of which something cannot be
    asked: their errors are held as they are on the data, so that it follows no other activations.
    """
    for layer in found.subject.stand_ins:
        raise UsageError(
            f"A transcoder stands in at layer {layer!r}, and its error is held as it is on the "
            f"data, so that 'lib-graph {verb}' would say nothing of the network. Take a run "
            "without transcoders."
        )


def cut_again(
    run: Run,
    subject: Subject,
    dtype: torch.dtype | None = None,
    device: str = defaults.DEVICE,
    *,
    derivatives: bool = True,
) -> Reopened:
    """Return a network with the layers of a run, cut at them on its own data, and their bases.

    Its `derivatives` are checked unless none are to be taken.
    """
    if dtype is None:
        dtype = torch.float64 if run.manifest.dtype == "float64" else torch.float32
    where = device_named(device, dtype)
    module = in_precision(subject.module, dtype, where)
    example = tuple(converted(first_samples(x), dtype).to(where) for x in subject.inputs)
    network = cut_or_recorded(
        subject, module, example, run.manifest.model.biases,
        partial=run.manifest.config.partial, derivatives=derivatives,
    )  # fmt: skip
    bases = given_bases(run.path / "bases.safetensors", network.layers)
    moved = {name: basis.to(dtype, where) for name, basis in bases.items()}
    return Reopened(subject, network, moved, where)


def in_bases_of(opened: Reopened, run: Run) -> Reopened:
    """Return an open network in the bases of another run of the same network, data and layers.

    Raises ConflictError if it is another network or other data, RunError if the bases do not fit.
    """
    reopened(run, opened.subject)
    bases = given_bases(run.path / "bases.safetensors", opened.network.layers)
    moved = {name: basis.to(opened.dtype, opened.device) for name, basis in bases.items()}
    return replace(opened, bases=moved)


def _loaded(manifest: Manifest) -> Subject:
    config = manifest.config
    return load_subject(manifest.model.source, text_of(config) or config.data)


def text_of(config: BuildConfig) -> Text | None:
    """Return the text that a build was run on; None if it was on none."""
    if config.text is None:
        return None
    assert config.context is not None  # it is written whenever there is a text
    return Text(Path(config.text), config.context, config.tokens, bool(config.padding))


def _check(run: Run, what: str, found: str, expected: str) -> None:
    if found != expected:
        raise ConflictError(
            f"The {what} of {run.manifest.model.source!r} are not those that run {run.id} was "
            f"built from (SHA-256 {found[:12]}, not {expected[:12]}). Build the run again."
        )
