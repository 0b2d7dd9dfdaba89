"""Transcoders that a build is given, held against the parts that they stand in for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lib_graph.building.accumulating import accumulate
from lib_graph.cutting.standing_in import part_of
from lib_graph.dictionaries.found import Found
from lib_graph.errors import UsageError
from lib_graph.method.moments import Spread
from lib_graph.method.network import Batch, Layer
from lib_graph.method.transcoder import Transcoder, earlier
from lib_graph.networks import Subject

if TYPE_CHECKING:
    from lib_graph.building.job import Job

__all__ = ["check_parts", "look_at_errors", "stand_ins_of"]

DOUBTFUL, REFUSED = 0.5, 1.0  # shares of a part's variance that is left to the error


def stand_ins_of(found: Mapping[str, Found]) -> dict[str, Transcoder]:
    """Return the transcoders among what was read, by layer."""
    held = {layer: each.holds for layer, each in found.items()}
    return {layer: x for layer, x in held.items() if isinstance(x, Transcoder)}


def check_parts(
    subject: Subject, there: Mapping[str, tuple[int, ...]], found: Mapping[str, Found]
) -> None:
    """Raise UsageError for a transcoder that cannot stand in for the part at its layer.

    `there` are the shapes at the points of the network. The part must have as many inputs and
    outputs, and a layer behind it.
    """
    *_, last = subject.layers
    for layer, transcoder in stand_ins_of(found).items():
        path, where = part_of(subject.parts[layer]), str(found[layer].file)
        reads = f"{part_of(subject.layers[layer])}:in"
        if layer == last:
            raise UsageError(
                f"{where!r} is {found[layer].kind}: no layer follows {layer!r}, which its features "
                "could lead to. Name one (--layers)."
            )
        for point, width in zip((reads, f"{path}:out"), _widths(transcoder), strict=True):
            shape, side = there.get(point, ()), point.rpartition(":")[2]
            if len(shape) not in (1, 2) or shape[-1] != width:
                raise UsageError(
                    f"{where!r} is {found[layer].kind} with {width} coordinates {side}; "
                    f"{point} has the shape {list(shape)}. Give one of this part."
                )


def _widths(transcoder: Transcoder) -> tuple[int, int]:
    return len(transcoder.encoder), len(transcoder.decoder_bias)


def look_at_errors(job: Job, *, force: bool = False) -> None:
    """Make E|e|² of each transcoder, over the variance of its part's result, a check of the job.

    Of half of it and more a line is said. Raises UsageError, without `force`, where it is more than
    all: the mean alone would tell more.
    """
    for layer, share in _errors(job).items():
        job.checks[f"transcoder_error.{layer}"] = share
        part = part_of(job.subject.parts[layer])
        if share > REFUSED and not force:
            raise UsageError(
                f"The error of the transcoder of layer {layer!r} is {share:.3g} times the variance "
                f"of {part} on this data: it is of another part or scale. Give the one of this "
                "part, or build with it all the same (--force)."
            )
        if share >= DOUBTFUL:
            job.progress.say(
                f"The error of the transcoder of layer {layer!r} is {share:.3g} times the variance "
                f"of {part}. Is it of this part?"
            )


@torch.no_grad()
def _errors(job: Job) -> dict[str, float]:
    """Return E|e|² of each transcoder over the variance of what it stands in for, by layer."""
    layers = [layer for layer in job.network.layers if layer.transcoded is not None]
    if not layers:
        return {}

    def of(batch: Batch) -> tuple[Spread, ...]:
        found = []
        for layer in layers:
            told, error = _told(layer, job.subject.stand_ins, batch)
            found += [Spread.of(x, batch.mask(layer)) for x in (told + error, error)]
        return tuple(found)

    totals = iter(accumulate(job.passes, "errors of transcoders", job.samples, of))
    shares = {}
    for layer in layers:
        whole, error = next(totals), next(totals)
        variance = whole.variance.sum().clamp_min(torch.finfo(torch.float64).tiny)
        shares[layer.name] = float(error.mean_square.sum() / variance)
    return shares


def _told(layer: Layer, stand_ins: Mapping[str, Transcoder], batch: Batch) -> tuple[Tensor, Tensor]:
    """Return what the features and the skip say of a part's result, but for c; and the error."""
    f, parts = batch.activations[layer.index], layer.transcoded
    assert parts is not None
    sizes = [parts.features, 1, parts.carried, parts.outputs, f.shape[-1] - parts.rest]
    features, size, carried, direction, rest = f.split(sizes, -1)
    transcoder = stand_ins[layer.name]
    told = features @ transcoder.decoders[:, 0].to(f)
    if parts.carried:
        told = told + carried @ torch.cat([*earlier(stand_ins, layer.name).values()]).to(f)
    if transcoder.skip is not None:
        told = told + rest[..., : parts.outputs]
    return told, size * direction
