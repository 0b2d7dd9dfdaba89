"""From a network and data to a run folder."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lib_graph.building.bases_stage import Bases, bases_stage
from lib_graph.building.interactions_stage import interactions_stage
from lib_graph.building.job import Job, prepare
from lib_graph.building.options import Options
from lib_graph.building.origin import run_id
from lib_graph.data.text import Text
from lib_graph.errors import ModelError, UsageError
from lib_graph.method.basis import LayerBasis
from lib_graph.method.dictionary import Basis, Dictionary
from lib_graph.method.network import Layer
from lib_graph.networks import Subject, subject_of
from lib_graph.run import DataInfo, LayerInfo, ModelInfo, Run
from lib_graph.run.config import BuildConfig
from lib_graph.run.kept import clear, finished
from lib_graph.run.writing import write_manifest
from lib_graph.support import defaults
from lib_graph.support.arguments import checked
from lib_graph.support.devices import device_named, on_card
from lib_graph.support.files import check_folder, locked
from lib_graph.support.memory import format_bytes
from lib_graph.support.precision import check_tf32
from lib_graph.support.processes import joined
from lib_graph.support.progress import USUAL, Progress

__all__ = ["build"]


@checked
def build(
    model: Subject | nn.Module | str | Path,
    out: str | Path,
    options: Options | None = None,
    *,
    data: Tensor | tuple[Any, ...] | Mapping[str, Any] | str | Path | Text | None = None,
    layers: Iterable[str] | None = None,
    granularity: str | None = None,
    name: str | None = None,
    replace: bool = False,
    force: bool = False,
    device: str = defaults.DEVICE,
    device_memory: int | None = None,
    progress: Progress = USUAL,
) -> Run:
    """Return the run of a network on its data, written to the folder `out`.

    `model` is a module of your own, with its arguments as `data` (samples first; a tensor, a tuple,
    or a dict by keyword) and the points to
    be `layers`, each POINT or NAME=POINT; or what the command takes, a model folder or
    path.py:function, with its own data and layers unless said otherwise; or a language model, a
    folder of transformers' or a name on the hub, with a `Text` as data and a `granularity`, block,
    paper or mlp, for layers; or a `Subject`. Stages
    that are there already, from the same weights, data and options, are not computed again. `name`
    is what people call the run (default: the subject's name and the basis). `force` takes given
    bases even where they leave out more than the whole variance of a layer. Of a card's own
    memory `device_memory` bytes may be taken (default: 80 % of what is free). Under torchrun all
    processes call this, and share the data; `out` has to be a folder that all of them see.

    >>> import lib_graph, tempfile, torch
    >>> mlp = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> run = lib_graph.build(
    ...     mlp, tempfile.mkdtemp(), lib_graph.Options(basis="neuron"),
    ...     data=torch.randn(100, 3), layers=["input=0:in", "hidden=2:in", "output"],
    ... )
    >>> [(layer.name, layer.features) for layer in run.layers]
    [('input', 3), ('hidden', 4), ('output', 2)]

    Raises ConflictError if the folder holds another run and `replace` is false, ModelError if the
    network cannot be cut or its activations are not finite, UsageError for options that do not fit
    the network or the device, and where data or layers are missing.
    """
    options = options or Options()
    out = Path(out)
    check_folder(out)
    where = device_named(device, options.torch_dtype)
    if device_memory is not None and not on_card(where):
        raise UsageError(
            f"device_memory is {format_bytes(device_memory)}, but the device {device!r} has no "
            "memory of its own. Give --memory, or another --device."
        )
    if options.tf32:
        check_tf32(where)
    world = joined(where)
    speaking = progress if world.first else USUAL
    with speaking.stage("loading the model", 1) if isinstance(model, str | Path) else nullcontext():
        subject = subject_of(model, data, layers, granularity)
    job = prepare(subject, out, options, speaking, where, world, device_memory)
    with locked(out) if world.first else nullcontext():
        if replace and world.first:
            clear(out)
        world.wait()
        run = finished(out, job.origin, speaking)
        return _built(job, name, force) if run is None else run


def _built(job: Job, name: str | None, force: bool) -> Run:
    """Return the run of a job, all stages done."""
    job.recall_checks()
    try:
        bases = bases_stage(job, force=force)
        interactions_stage(job, bases)
    except ModelError:  # which the same build would meet again
        if job.world.first:
            job.passes.close()
        raise
    finally:
        job.samples.close()
    job.world.wait()
    if job.world.first:
        job.passes.close()
        write_manifest(job.out, _manifest(job, bases, name))
    job.world.wait()
    return Run.open(job.out)


def _manifest(job: Job, bases: Bases, name: str | None) -> dict[str, Any]:
    """Return the fields of the manifest, but for the files' hashes."""
    subject, options = job.subject, job.options
    return {
        "run_id": run_id(job.origin),
        "name": name or f"{subject.name}-{_basis(job, bases)}",
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "versions": {
            "lib-graph": version("lib-graph"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "seed": options.seed,
        "dtype": options.dtype,
        "config": _config(job),
        "model": ModelInfo(
            name=subject.name,
            source=subject.source,
            sha256=job.origin["model"],
            parameters=sum(p.numel() for p in subject.module.parameters()),
            biases=tuple(job.origin["biases"]),
            loading=subject.loading,
        ),
        "data": DataInfo(
            name=subject.data_name,
            sha256=job.origin["data"],
            samples=len(subject.inputs[0]),
            positions=_positions(job),
        ),
        "basis": _basis(job, bases),
        "base": None,
        "layers": [
            LayerInfo(
                index=layer.index,
                name=layer.name,
                width=layer.width,
                pca_rank=bases[layer.name].pca_rank,
                features=bases[layer.name].features,
                positions=layer.positions,
                kind="raw" if bases[layer.name].raw else "basis",
                spaces=_spaces(job, layer, bases[layer.name]),
            )
            for layer in job.network.layers
        ],
        "cutoffs": {"tau_pca": options.tau_pca, "tau_lib": options.tau_lib},
        "timings": job.timings,
        "notes": job.network.notes,
        "checks": {
            **job.checks,
            **job.network.figures,
            "identity_error": _identity_error(bases),
        },
    }


def _spaces(job: Job, layer: Layer, basis: Basis) -> tuple[tuple[int, int], ...]:
    """Return the first and last index of the features of each space, of bases found here."""
    if not isinstance(basis, LayerBasis) or layer.name in job.given or job.computed == "neuron":
        return ()
    own = 0 if layer.transcoded is None else layer.transcoded.own
    return tuple((each.start + 1, each.stop) for each in basis.spaces if each.start >= own)


def _basis(job: Job, bases: Bases) -> str:
    """Return what a run says its features are."""
    if job.subject.stand_ins:
        return "transcoder"
    if any(isinstance(basis, Dictionary) for basis in bases.values()):
        return "dictionary"
    return job.computed or "given"


def _positions(job: Job) -> int:
    """Return how many positions of the first layer count, over all samples."""
    if job.subject.counted is not None:
        return int(job.subject.counted.sum())
    return len(job.subject.inputs[0]) * job.network.layers[0].positions


def _config(job: Job) -> BuildConfig:
    """Return what was asked for, with what followed from the network."""
    options = asdict(job.options) | dict(job.subject.settings)
    return BuildConfig(
        **options
        | {
            "basis": _text(job.options.basis),
            "biases": tuple(job.origin["biases"]),
            "layers": tuple(job.subject.layers.items()),
        }
    )


def _text(basis: str | Path | tuple[str | Path, ...]) -> str | tuple[str, ...]:
    return tuple(map(str, basis)) if isinstance(basis, tuple) else str(basis)


def _identity_error(bases: Bases) -> float:
    """Return the largest entry of C⁺C − I over all layers with a basis."""
    return max(
        (
            float((basis.inverse @ basis.rotation - torch.eye(basis.features)).abs().max())
            for basis in bases.values()
            if isinstance(basis, LayerBasis)
        ),
        default=0.0,
    )
