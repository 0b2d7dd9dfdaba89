"""Interaction strengths between the features of two layers (docs/method.md §4).

    A_itj(x) = Σ_s f̂_sj ∫ dα ∂F̂_it/∂f̂_sj (α f)        E_ij = E_x Σ_t A_itj² / S

The sum over s is one directional derivative: a JVP whose tangent places feature j at all positions
at once gives the attributions of j to every output feature and position.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.basis import LayerBasis
from lib_graph.forward import derivative
from lib_graph.moments import InteractionMoments
from lib_graph.network import Batch, Constants, Section
from lib_graph.readout import Readout
from lib_graph.rules import Rule

__all__ = ["constant_moments", "interaction_moments"]


def interaction_moments(
    section: Section,
    batch: Batch,
    basis: LayerBasis,
    next_basis: LayerBasis,
    rule: Rule,
    chunk: int,
) -> InteractionMoments:
    """Return the moments of all pairs (source, target) of one batch, the constant left out.

    A section that says what it is answers in closed form, any other by JVPs, `chunk` sources at a
    time. Positions that do not count are in no sum.
    """
    f, mask = batch.activations[section.source.index], batch.mask(section.source)
    features = basis.coordinates(f)
    if mask is not None:
        features = features * mask[..., None]
    arguments = (f, features, basis.inverse, _readout(section, batch, next_basis), rule, chunk)
    if section.kind is not None:
        parts = section.kind.interactions(*arguments)
    else:
        parts = _by_jvp(section, batch.constants, *arguments)
    return InteractionMoments.stack(list(parts))


def _readout(section: Section, batch: Batch, next_basis: LayerBasis) -> Readout:
    return Readout(next_basis.rotation, batch.rows(section.source), batch.mask(section.target))


def _by_jvp(
    section: Section,
    constants: Constants,
    f: Float[Tensor, "n s d"],
    features: Float[Tensor, "n s r"],
    inverse: Float[Tensor, "r d"],
    readout: Readout,
    rule: Rule,
    chunk: int,
) -> Iterator[InteractionMoments]:
    for rows, coordinates in zip(
        inverse.split(chunk), features.movedim(-1, 0).split(chunk), strict=True
    ):
        tangents = coordinates[..., None] * rows[:, None, None]
        derivatives = torch.stack(
            [
                weight * _derivatives(section, constants, f, tangents, alpha)
                for alpha, weight in zip(rule.nodes, rule.weights, strict=True)
            ]
        ).sum(0)
        yield readout.moments(derivatives @ readout.rotation)


def _derivatives(
    section: Section, constants: Constants, f: Tensor, tangents: Tensor, alpha: float
) -> Float[Tensor, "r n t e"]:
    """Return DF at α f along each tangent."""
    biases = section.scaled_biases(alpha)

    def moved(z: Tensor) -> Tensor:
        return section(z, constants, biases)

    return torch.func.vmap(lambda tangent: derivative(moved, (alpha * f,), (tangent,)))(tangents)


def constant_moments(
    section: Section,
    batch: Batch,
    basis: LayerBasis,
    next_basis: LayerBasis,
    rule: Rule,
) -> InteractionMoments:
    """Return the moments of the pairs (constant feature, target) of one batch, as a single row.

    A_it0 = ((∫ DF(α f; α b)[μ; b] dα − μ_{l+1}) C_{l+1})_ti: the constant stands for the mean
    activation and the biases together, less what the next layer's constant stands for.
    """
    f, mask = batch.activations[section.source.index], batch.mask(section.source)
    names = section.biases
    mean = basis.mean.expand_as(f)
    if mask is not None:
        mean = mean * mask[..., None]
    offset = -next_basis.mean
    for alpha, weight in zip(rule.nodes, rule.weights, strict=True):
        biases = section.scaled_biases(alpha)
        values = tuple(biases[name] for name in names)
        full = tuple(section.parameters[name] for name in names)

        def moved(z: Tensor, *b: Tensor) -> Tensor:
            return section(z, batch.constants, dict(zip(names, b, strict=True)))

        offset = offset + weight * derivative(moved, (alpha * f, *values), (mean, *full))
    return _readout(section, batch, next_basis).moments((offset @ next_basis.rotation)[None])
