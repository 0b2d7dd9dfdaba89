"""The two stages of a build: bases with features, then interactions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd
import torch

from lib_graph.bases_file import bases_made_from, given_bases, read_bases, write_bases
from lib_graph.basis import LayerBasis, first_apart, lib_basis, neuron_basis, pca_basis, raw_basis
from lib_graph.frames import feature_frame, section_frame
from lib_graph.interactions import constant_moments, interaction_moments
from lib_graph.jacobians import second_moment
from lib_graph.job import Job
from lib_graph.labels import Label
from lib_graph.moments import InteractionMoments, Moments
from lib_graph.network import Section
from lib_graph.origin import run_id
from lib_graph.plan import Samples
from lib_graph.run import made_from, write_features, write_interactions

__all__ = ["Bases", "bases_stage", "interactions_stage", "moments_of", "second_moment_of"]

Bases = dict[str, LayerBasis]


def bases_stage(job: Job) -> Bases:
    """Return the basis of every layer; write features.parquet and bases.safetensors."""
    layers = job.network.layers
    file = job.out / "bases.safetensors"
    if bases_made_from(file) == job.origin and made_from(job.out / "features.parquet") is not None:
        found = read_bases(file)
        return {layer.name: found.get(layer.name) or raw_basis(layer.width) for layer in layers}
    moments = moments_of(job)
    if job.options.bases_file is None:
        bases = _own_bases(job, moments)
    else:
        bases = {
            name: _ranked(basis, moments[name])
            for name, basis in given_bases(job.options.bases_file, layers).items()
        }
    labels = _labels(job, bases)
    frame = feature_frame(run_id(job.origin), layers, bases, moments, labels)
    write_features(job.out / "features.parquet", frame, job.origin)
    write_bases(file, bases, job.origin)
    return bases


def moments_of(job: Job) -> dict[str, Moments]:
    """Return mean and Gram matrix of every layer, in one pass over the data."""
    layers = job.network.layers
    totals: list[Moments] = []
    with job.stage("means and Gram matrices", len(job.samples)) as advance:
        for batch in job.samples:
            parts = [
                Moments.of(f, batch.mask(layer))
                for layer, f in zip(layers, batch.activations, strict=True)
            ]
            totals = [a.merge(b) for a, b in zip(totals, parts, strict=True)] if totals else parts
            advance(1)
    return {layer.name: total for layer, total in zip(layers, totals, strict=True)}


def _own_bases(job: Job, moments: dict[str, Moments]) -> Bases:
    """Return the bases that the options ask for, computed from the last layer to the first."""
    *sections, last = [*job.network.sections, job.network.layers[-1]]
    options = job.options
    bases = {last.name: raw_basis(last.width)}
    if options.last == "pca":
        bases[last.name] = pca_basis(moments[last.name], last.name, options.tau_pca)
    for section in reversed(sections):
        layer = section.source.name
        jacobian = None
        if options.basis == "lib":
            jacobian = second_moment_of(job, section, bases[section.target.name])

        def make(
            part: slice, layer: str = layer, jacobian: torch.Tensor | None = jacobian
        ) -> LayerBasis:
            of = moments[layer].part(part)
            if jacobian is not None:
                return lib_basis(of, jacobian[part, part], layer, options.tau_pca, options.tau_lib)
            return (pca_basis if options.basis == "pca" else neuron_basis)(
                of, layer, options.tau_pca
            )

        bases[layer] = first_apart(make) if section.source.variance else make(slice(None))
    return {layer.name: bases[layer.name] for layer in job.network.layers}


def second_moment_of(job: Job, section: Section, next_basis: LayerBasis) -> torch.Tensor:
    """Return M' of one section over all of the data."""
    next_rotation = next_basis.rotation.to(job.options.torch_dtype)
    total, rows = torch.zeros(()), 0
    with job.stage(f"Jacobian of {section.source.name}", len(job.samples)) as advance:
        for batch in job.samples:
            total = total + second_moment(
                section, batch, next_rotation, job.rule, job.samples.plan.chunk
            )
            rows += batch.rows(section.source)
            advance(1)
    return total / rows


def _ranked(basis: LayerBasis, moments: Moments) -> LayerBasis:
    """Return a given basis, with the variance on this data for importance if it has none."""
    if basis.raw or basis.importance is not None:
        return basis
    return replace(basis, importance=basis.variance(moments))


def _labels(job: Job, bases: Bases) -> dict[str, list[Label | None]]:
    """Return labels of the features of all layers that are not raw."""
    labeller = job.subject.labeller
    if labeller is None:
        return {}
    samples = Samples(job.network, (labeller.inputs,), replace(job.samples.plan, keep=False))
    labels = {}
    with job.stage("labels", len(bases)) as advance:
        for layer in job.network.layers:
            basis = bases[layer.name].to(job.options.torch_dtype)
            if not basis.raw:
                parts = [basis.coordinates(b.activations[layer.index]) for b in samples]
                labels[layer.name] = labeller(torch.cat(parts).double())
            advance(1)
    return labels


def interactions_stage(job: Job, bases: Bases) -> None:
    """Write interactions.parquet, unless it is there."""
    file = job.out / "interactions.parquet"
    if made_from(file) is None:
        write_interactions(file, _sections(job, bases), job.origin)


def _sections(job: Job, bases: Bases) -> Iterator[pd.DataFrame]:
    for section in job.network.sections:
        source, target = section.source, section.target
        dtype = job.options.torch_dtype
        moments = _interactions(
            job, section, bases[source.name].to(dtype), bases[target.name].to(dtype)
        )
        yield section_frame(
            run_id(job.origin),
            source,
            target,
            moments,
            first_target=0 if bases[target.name].raw else 1,
        )


def _interactions(
    job: Job, section: Section, basis: LayerBasis, next_basis: LayerBasis
) -> InteractionMoments:
    """Return the interactions of one section over all of the data, the constant's in row 0."""
    total: InteractionMoments | None = None
    with job.stage(f"interactions of {section.source.name}", len(job.samples)) as advance:
        for batch in job.samples:
            where = (section, batch, basis, next_basis, job.rule)
            constant = constant_moments(*where)
            others = interaction_moments(*where, job.samples.plan.chunk)
            part = InteractionMoments.stack([constant, others])
            total = part if total is None else total.merge(part)
            advance(1)
    assert total is not None
    return total
