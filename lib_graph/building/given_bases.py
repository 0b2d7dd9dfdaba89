"""Bases and dictionaries that a build is given, instead of computing any (docs/method.md §9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from lib_graph.building.accumulating import accumulate
from lib_graph.building.job import Job
from lib_graph.errors import UsageError
from lib_graph.method.basis import RawBasis
from lib_graph.method.dictionary import Basis, Dictionary
from lib_graph.method.moments import Spread
from lib_graph.method.network import Batch
from lib_graph.method.rules import Rule

__all__ = ["given_stage"]

DOUBTFUL, REFUSED = 0.5, 1.0  # shares of a layer's variance that its features leave out


def given_stage(
    job: Job, found: Mapping[str, Basis], *, force: bool = False
) -> tuple[dict[str, Basis], dict[str, Tensor]]:
    """Return the bases of all layers, and the variances of their features on the data.

    Importance is E[f̂²] unless the file says otherwise. The share of a layer's variance that given
    features leave out, the largest of all layers, becomes a check of the job; of half of it and
    more a line is said. Raises UsageError for a rule that a dictionary cannot have, and, without
    `force`, where features leave out more than all of it: the layer's mean alone would tell more.
    """
    bases = dict(found)
    _check_rule(bases, job.rule)
    spreads = _spreads(job, bases)
    variances, left_out = {}, [0.0]
    for name, (features, rest, whole) in spreads.items():
        variances[name] = features.variance
        basis = bases[name]
        if name in job.given and not isinstance(basis, RawBasis):
            left_out.append(_left_out(rest, whole, torch.finfo(job.options.torch_dtype).eps))
            _look_at(job, name, left_out[-1], force)
            if basis.importance is None:
                bases[name] = replace(basis, importance=features.mean_square)
    job.checks["left_out"] = max(left_out)
    return bases, variances


def _left_out(rest: Spread, whole: Spread, rounding: float) -> float:
    """Return what is left over the variance of a layer; 0 where that is rounding alone."""
    variance = whole.variance.sum()
    if not variance > (1e3 * rounding) ** 2 * whole.mean_square.sum():
        return 0.0
    return float(rest.mean_square.sum() / variance)


def _look_at(job: Job, layer: str, left_out: float, force: bool) -> None:
    """Say that features leave out much of a layer, or refuse them."""
    if left_out > REFUSED and not force:
        raise UsageError(
            f"The features given for layer {layer!r} leave out {left_out:.3g} times its variance "
            "on this data: they are of another layer or scale, or a matrix was written transposed. "
            "Mend the file, or build with them all the same (--force)."
        )
    if left_out >= DOUBTFUL:
        job.progress.say(
            f"The features given for layer {layer!r} leave out {left_out:.0%} of its variance on "
            "this data. Are they of this layer?"
        )


def _check_rule(bases: dict[str, Basis], rule: Rule) -> None:
    for name, basis in bases.items():
        if isinstance(basis, Dictionary) and not basis.linear and len(rule.nodes) > 1:
            raise UsageError(
                f"Rule {rule.name!r} averages along a path, on which the features of the "
                f"{basis.activation} dictionary of layer {name!r} switch on and off. Use the rule "
                "'gradient'."
            )


@torch.no_grad()
def _spreads(job: Job, bases: dict[str, Basis]) -> dict[str, tuple[Spread, Spread, Spread]]:
    """Return, per layer, the spreads of its features, of what they leave out, and of all of it."""
    layers = job.network.layers
    cast = [job.basis(bases[layer.name]) for layer in layers]

    def of(batch: Batch) -> tuple[Spread, ...]:
        found = []
        for layer, basis, f in zip(layers, cast, batch.activations, strict=True):
            features = basis.coordinates(f)
            rest = f - (basis.amounts(f) @ basis.inverse + basis.origin_at(f))
            found += [Spread.of(x, batch.mask(layer)) for x in (features, rest, f)]
        return tuple(found)

    totals = iter(accumulate(job.passes, "features", job.samples, of))
    return {layer.name: (next(totals), next(totals), next(totals)) for layer in layers}
