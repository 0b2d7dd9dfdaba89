"""The second stage of a build: the interactions between the features of consecutive layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lib_graph.building.accumulating import accumulate
from lib_graph.building.bases_stage import Bases
from lib_graph.building.frames import section_frames
from lib_graph.building.job import Job
from lib_graph.building.origin import run_id
from lib_graph.building.passes import Passes
from lib_graph.building.samples import Samples, in_random_order
from lib_graph.method.dictionary import Basis, most_important
from lib_graph.method.interactions import constant_moments, interaction_moments
from lib_graph.method.moments import InteractionMoments
from lib_graph.method.network import Batch, Section
from lib_graph.method.rules import Rule
from lib_graph.run.kept import made_from
from lib_graph.run.writing import write_interactions
from lib_graph.support.precision import products

__all__ = ["interactions_of", "interactions_stage", "moved_by", "reached_error"]

CARRIED = 0.99  # of the strength into a target, by the interactions that have to be known


def interactions_stage(job: Job, bases: Bases) -> None:
    """Write interactions.parquet, unless it is there."""
    file = job.out / "interactions.parquet"
    if made_from(file) != job.origin:
        samples = job.samples
        if (chosen := _chosen(job)) is not None:
            samples.close()
            early = job.options.target_error is not None
            samples = samples.chosen(chosen, job.world.size, looks=early)
        try:
            sections = _sections(job, bases, samples)
            if job.world.first:
                write_interactions(file, sections, job.origin)
            else:
                for _ in sections:
                    pass
        finally:
            samples.close()
    job.world.wait()


def _chosen(job: Job) -> Int[Tensor, " m"] | None:
    """Return the samples that interactions are computed from, in random order; None for all.

    A pass that may end early takes them in random order too: neighbours in the data are alike.
    """
    options, count = job.options, len(job.samples.inputs[0])
    if options.edge_samples is None and options.target_error is None:
        return None
    return in_random_order(count)[: options.edge_samples]


def _sections(job: Job, bases: Bases, samples: Samples) -> Iterator[pd.DataFrame]:
    options = job.options
    carried = {
        name: most_important(basis, options.top, options.min_importance)
        for name, basis in bases.items()
    }
    for name, basis in bases.items():
        if basis.importance is not None and len(carried[name]) < basis.features:
            taken = basis.importance[carried[name]].sum() / basis.importance.sum()
            job.checks[f"importance_left_out.{name}"] = float(1 - taken)
    for section in job.network.sections:
        source, target = section.source, section.target
        basis, next_basis = (
            job.basis(bases[layer.name].only(carried[layer.name])) for layer in (source, target)
        )
        moments = _interactions(job, section, basis, next_basis, samples)
        sources = torch.cat([torch.tensor([0]), carried[source.name] + 1])
        targets = carried[target.name] + (0 if bases[target.name].raw else 1)
        yield from section_frames(run_id(job.origin), source, target, moments, sources, targets)
    if job.world.first:
        job.keep_checks()


def interactions_of(
    passes: Passes,
    section: Section,
    basis: Basis,
    next_basis: Basis,
    rule: Rule,
    samples: Samples,
    *,
    enough: Callable[[InteractionMoments], bool] | None = None,
    tf32: bool = False,
) -> InteractionMoments:
    """Return the interactions of one section over the samples, the constant's in row 0.

    `enough` says whether they are known well enough, so that the pass may end. With `tf32`, a card
    takes their products, but not the activations, in TF32.
    """

    def of(batch: Batch) -> tuple[InteractionMoments]:
        where = (section, batch, basis, next_basis, rule)
        return (_of_batch(*where, samples.plan.chunk, tf32=tf32),)

    name = f"interactions of {section.source.name}"
    ends = None if enough is None else lambda parts: enough(parts[0])
    moments: InteractionMoments
    (moments,) = accumulate(passes, name, samples, of, enough=ends)
    return moments


def _of_batch(
    section: Section,
    batch: Batch,
    basis: Basis,
    next_basis: Basis,
    rule: Rule,
    chunk: int,
    *,
    tf32: bool,
) -> InteractionMoments:
    with products(tf32=tf32):
        where = (section, batch, basis, next_basis, rule)
        others = interaction_moments(*where, chunk)
        return InteractionMoments.stack([constant_moments(*where), others])


def _interactions(
    job: Job, section: Section, basis: Basis, next_basis: Basis, samples: Samples
) -> InteractionMoments:
    """Return the interactions of one section, as far as they are wanted, and keep their figures."""
    target = job.options.target_error
    name = section.source.name

    def known(moments: InteractionMoments) -> bool:
        return target is not None and reached_error(moments) <= target

    enough = None if target is None else known
    tf32 = job.options.tf32
    moments = interactions_of(
        job.passes, section, basis, next_basis, job.rule, samples, enough=enough, tf32=tf32
    )
    job.checks[f"edge_samples.{name}"] = moments.count
    if tf32:
        where = (section, samples[0], basis, next_basis, job.rule, samples.plan.chunk)
        exact, rough = (_of_batch(*where, tf32=each) for each in (False, True))
        job.checks[f"tf32_error.{name}"] = moved = moved_by(rough, exact)
        job.progress.say(f"interactions of {name}: TF32 moves strengths by up to {moved:.2g}")
    if target is not None:
        job.checks[f"edge_error.{name}"] = error = reached_error(moments)
        if error > target:
            job.progress.say(
                f"interactions of {name}: all {moments.count} samples give a relative standard "
                f"error of {error:.2g}, not {target:g}"
            )
    return moments


def reached_error(moments: InteractionMoments) -> float:
    """Return the largest relative standard error of the interactions that matter.

    Those are, of each target, the strongest that together carry 99 % of the strength into it, the
    constant's in row 0 left out. It is infinite for a single sample.
    """
    return _largest(moments, moments.stderr.nan_to_num(torch.inf))


def moved_by(moments: InteractionMoments, exact: InteractionMoments) -> float:
    """Return the largest relative difference between two precisions, of the same interactions."""
    return _largest(exact, (moments.strength - exact.strength).abs())


def _largest(moments: InteractionMoments, error: Float[Tensor, "j r"]) -> float:
    """Return the largest error over its strength, of those that carry CARRIED of a target."""
    strength = moments.strength[1:]
    ordered, order = strength.sort(dim=0, descending=True, stable=True)
    before = ordered.cumsum(0) - ordered
    needed = (before < CARRIED * ordered.sum(0)) & (ordered > 0)
    relative = error[1:].gather(0, order) / ordered
    return float(relative[needed].max()) if needed.any() else 0.0
