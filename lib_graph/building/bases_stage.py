"""The first stage of a build: the basis of every layer, and its features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from typing import Any

import torch

from lib_graph.building.accumulating import accumulate
from lib_graph.building.frames import feature_frame
from lib_graph.building.given_bases import given_stage
from lib_graph.building.job import Job
from lib_graph.building.origin import run_id
from lib_graph.building.samples import Samples
from lib_graph.building.stand_ins import look_at_errors
from lib_graph.cutting.composing import compose
from lib_graph.cutting.points import OUTPUT
from lib_graph.data.labelling import Label
from lib_graph.dictionaries.bases_file import read_bases, write_bases
from lib_graph.method.basis import (
    LayerBasis,
    RawBasis,
    first_apart,
    lib_basis,
    neuron_basis,
    pca_basis,
)
from lib_graph.method.dictionary import Basis
from lib_graph.method.jacobians import (
    JacobianMoment,
    closed_moment,
    estimated_moment,
    second_moment,
)
from lib_graph.method.moments import Moments, Spread
from lib_graph.method.network import Batch, Layer, Section
from lib_graph.method.random_basis import random_basis
from lib_graph.method.spectrum import resolution_of
from lib_graph.method.transcoded_basis import transcoded_basis
from lib_graph.method.transcoder import earlier
from lib_graph.run.kept import made_from
from lib_graph.run.writing import write_features

__all__ = ["Bases", "bases_stage", "moments_of", "second_moment_of"]

Bases = dict[str, Basis]


def bases_stage(job: Job, *, force: bool = False) -> Bases:
    """Return the basis of every layer; write features.parquet and bases.safetensors.

    `force` takes given bases that leave out more than a layer's variance.
    """
    layers = job.network.layers
    file = job.out / "bases.safetensors"
    if made_from(file) == made_from(job.out / "features.parquet") == job.origin:
        found = read_bases(file)
        return {layer.name: found.get(layer.name) or RawBasis(layer.width) for layer in layers}
    bases = dict(job.given)
    if job.computed is not None:
        moments = moments_of(job)
        bases = _own_bases(job, moments)
        look_at_errors(job, force=force)
    if job.given:
        bases, variances = given_stage(job, bases, force=force)
    else:
        variances = {name: _variances(basis, moments[name]) for name, basis in bases.items()}
    labels = _labels(job, bases)
    if job.world.first:
        job.keep_checks()
        frame = feature_frame(run_id(job.origin), layers, bases, variances, labels)
        write_features(job.out / "features.parquet", frame, job.origin)
        write_bases(file, bases, job.origin, job.subject.stand_ins)
    job.world.wait()
    return bases


def moments_of(job: Job) -> dict[str, Moments | Spread]:
    """Return mean and Gram matrix of every layer, in one pass over the data."""
    layers = job.network.layers
    last = Spread if job.options.last == "raw" else Moments
    kinds: list[type[Moments] | type[Spread]] = [*[Moments] * (len(layers) - 1), last]

    def of(batch: Batch) -> tuple[Moments | Spread, ...]:
        every = zip(kinds, batch.activations, layers, strict=True)
        return tuple(kind.of(f, batch.mask(layer)) for kind, f, layer in every)

    totals = accumulate(job.passes, "means and Gram matrices", job.samples, of)
    return {layer.name: total for layer, total in zip(layers, totals, strict=True)}


def _own_bases(job: Job, moments: dict[str, Moments | Spread]) -> Bases:
    """Return the bases that are given, and the others as they are asked for, the last first."""
    *sections, last = [*job.network.sections, job.network.layers[-1]]
    options = job.options
    grams = {name: found for name, found in moments.items() if isinstance(found, Moments)}
    bases = {last.name: RawBasis(last.width), **job.given}
    if options.last == "pca" and last.name not in job.given:
        own = pca_basis(
            grams[last.name], last.name, options.tau_pca, resolution_of(options.torch_dtype)
        )
        bases[last.name] = _shared(job, own)
    for index, section in reversed([*enumerate(sections)]):
        layer = section.source.name
        if layer in job.given:
            continue
        jacobian = None
        if job.computed in ("lib", "global"):
            following = section if job.computed == "lib" else compose(sections[index:])
            jacobian = second_moment_of(job, following, bases[following.target.name])
        make = partial(_basis_of_part, job, layer, grams[layer], jacobian)
        if section.source.transcoded is not None:
            basis = _transcoded(section.source, grams[layer], jacobian, make)
        else:
            basis = first_apart(make) if section.source.variance else make(slice(None))
        bases[layer] = _shared(job, basis)
    return {layer.name: bases[layer.name] for layer in job.network.layers}


def _basis_of_part(
    job: Job, layer: str, gram: Moments, jacobian: torch.Tensor | None, part: slice
) -> LayerBasis:
    """Return the basis that is asked for, of some of a layer's coordinates alone."""
    options = job.options
    gram, resolution = gram.part(part), resolution_of(options.torch_dtype)
    if jacobian is not None:
        taus = options.tau_pca, options.tau_lib
        return lib_basis(gram, jacobian[part, part], layer, *taus, resolution)
    if job.computed == "pca":
        return pca_basis(gram, layer, options.tau_pca, resolution)
    if job.computed == "random":
        return random_basis(gram, layer, options.tau_pca, options.seed, resolution)
    return neuron_basis(gram, layer, options.tau_pca)


def _transcoded(
    layer: Layer,
    gram: Moments,
    jacobian: torch.Tensor | None,
    make: Callable[[slice], LayerBasis],
) -> LayerBasis:
    """Return the basis of a layer at which a transcoder stands in; `make` gives that of a part.

    The importance of a transcoder's feature and of its error is E[f̂²], in LIB times M' there.
    """
    told = layer.transcoded
    assert told is not None
    own = gram.part(slice(told.own))
    importance = own.variance + own.mean.square()
    if jacobian is not None:
        importance = importance * jacobian.diagonal()[: told.own]
    rest = make(slice(told.rest, None)) if layer.width > told.rest else None
    return transcoded_basis(told, importance, rest)


def _variances(basis: Basis, moments: Moments | Spread) -> torch.Tensor:
    """Return the variance of each feature; those of a raw layer are the coordinates."""
    if isinstance(basis, LayerBasis) and isinstance(moments, Moments):
        return basis.variance(moments)
    return moments.variance


def _shared(job: Job, basis: LayerBasis) -> LayerBasis:
    """Return the basis that the first process found."""
    values = {field.name: getattr(basis, field.name) for field in fields(basis)}
    tensors = {name: value for name, value in values.items() if isinstance(value, torch.Tensor)}
    shared: dict[str, Any] = {**job.world.from_first(tensors)}
    return replace(basis, **shared)


def second_moment_of(job: Job, section: Section, next_basis: Basis) -> torch.Tensor:
    """Return M' of one section over all of the data."""
    rotation = job.basis(next_basis).rotation
    name, probes = section.source.name, job.options.probes

    def of(batch: Batch) -> tuple[JacobianMoment]:
        rows = batch.rows(section.source)
        where = (section, batch, rotation, job.rule)
        if probes is not None and closed_moment(*where) is None:
            return (JacobianMoment(rows, *estimated_moment(*where, probes, job.plan.chunk)),)
        return (JacobianMoment(rows, second_moment(*where, job.plan.chunk)),)

    (moment,) = accumulate(job.passes, f"Jacobian of {name}", job.samples, of)
    if moment.variance:
        job.checks[f"probe_error.{name}"] = moment.relative_error
        job.progress.say(
            f"Jacobian of {name}: estimated, relative standard error {moment.relative_error:.1e}"
        )
    return moment.mean


def _labels(job: Job, bases: Bases) -> dict[str, list[Label | None]]:
    """Return labels of the features of all layers that are not raw, and the names of outputs."""
    labeller = job.subject.labeller
    named = _named_outputs(job, bases) | _named_carried(job, bases)
    if labeller is None:
        return named
    plan = replace(job.plan, keep="nowhere")
    samples = Samples(job.network, (labeller.inputs,), plan, device=job.device)
    asked = {
        layer: job.basis(bases[layer.name])
        for layer in job.network.layers
        if not bases[layer.name].raw
    }
    values: dict[str, list[torch.Tensor]] = {layer.name: [] for layer in asked}
    with job.passes.stage("labels", len(samples)) as advance:
        for batch in samples:
            for layer, basis in asked.items():
                coordinates = basis.coordinates(batch.activations[layer.index])
                values[layer.name].append(coordinates.cpu())
            advance(1)
    return named | {name: labeller(torch.cat(values.pop(name))) for name in list(values)}


def _named_carried(job: Job, bases: Bases) -> dict[str, list[Label | None]]:
    """Return the ids that features carried along have in the layers they are carried from."""
    named: dict[str, list[Label | None]] = {}
    for layer in job.network.layers:
        if layer.transcoded is None or not layer.transcoded.carried:
            continue
        before = earlier(job.subject.stand_ins, layer.name).items()
        ids = [Label(f"{name}/{j + 1}") for name, rows in before for j in range(len(rows))]
        first, own = layer.transcoded.features + 1, layer.transcoded.own
        rest = bases[layer.name].features - own
        named[layer.name] = [*[None] * first, *ids, *[None] * rest]
    return named


def _named_outputs(job: Job, bases: Bases) -> dict[str, list[Label | None]]:
    """Return the names of the module's outputs, where the last layer is these as they are."""
    (name, point), basis = [*job.subject.layers.items()][-1], bases[job.network.layers[-1].name]
    if job.subject.answers is None or point != OUTPUT or not basis.raw:
        return {}
    names = [*job.subject.answers()][: basis.features]
    names += [None] * (basis.features - len(names))
    return {name: [Label(text) if text else None for text in names]}
