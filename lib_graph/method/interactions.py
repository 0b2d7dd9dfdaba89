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

from lib_graph.method.dictionary import Basis
from lib_graph.method.forward import derivative, push_forward
from lib_graph.method.jacobians import column_gradients
from lib_graph.method.moments import InteractionMoments
from lib_graph.method.network import Batch, Section
from lib_graph.method.question import Question
from lib_graph.method.readout import Readout
from lib_graph.method.rules import Rule

__all__ = ["constant_moments", "interaction_moments", "pushed", "question_of"]


def interaction_moments(
    section: Section,
    batch: Batch,
    basis: Basis,
    next_basis: Basis,
    rule: Rule,
    chunk: int,
) -> InteractionMoments:
    """Return the moments of all pairs (source, target) of one batch, the constant left out.

    The section's kind may have a closed form. Else they take a JVP per source, or where it is
    position-local a VJP per target if these are fewer, `chunk` at a time.
    Positions that do not count are in no sum.
    """
    question = question_of(section, batch, basis, next_basis, rule, chunk)
    shape = (basis.features, next_basis.features)
    parts = section.kind.interactions(question)
    if parts is None and section.local and next_basis.features < basis.features:
        return InteractionMoments.filled(shape, _by_vjps(section, batch, question), axis=1)
    return InteractionMoments.filled(shape, parts or _by_jvps(section, batch, question))


def question_of(
    section: Section, batch: Batch, basis: Basis, next_basis: Basis, rule: Rule, chunk: int
) -> Question:
    """Return which interactions `interaction_moments` asks a section for."""
    f, mask = batch.activations[section.source.index], batch.mask(section.source)
    features = basis.amounts(f)
    if mask is not None:
        features = features * mask[..., None]
    readout = _readout(section, batch, next_basis)
    return Question(f, features, basis.inverse, readout, rule, chunk)


def _readout(section: Section, batch: Batch, next_basis: Basis) -> Readout:
    return Readout(
        next_basis.rotation,
        batch.rows(section.source),
        batch.mask(section.target),
        next_basis.slopes(batch.activations[section.target.index]),
    )


def _by_jvps(section: Section, batch: Batch, question: Question) -> Iterator[InteractionMoments]:
    for attributions in pushed(section, batch, question):
        yield question.readout.moments(attributions)


def pushed(
    section: Section, batch: Batch, question: Question
) -> Iterator[Float[Tensor, "j n t r"]]:
    """Yield the attributions of some sources each to (F C_{l+1})_it, by a JVP per source."""
    for _, rows, values in question.sources():
        tangents = values.movedim(-1, 0)[..., None] * rows[:, None, None]
        moved = push_forward(section, batch, tangents, question.rule)
        yield moved @ question.readout.rotation


def _by_vjps(section: Section, batch: Batch, question: Question) -> Iterator[InteractionMoments]:
    """Yield the moments of A_itj = f̂_tj (c_j J_t C)_i, c_j = row j of C⁺, some targets each."""
    readout, chunk = question.readout, question.chunk
    columns = column_gradients(section, batch, readout.rotation, question.rule, chunk)
    for i, gradients in enumerate(columns):
        attributions = (gradients @ question.inverse.T * question.features).permute(3, 1, 2, 0)
        yield readout.only(slice(i * chunk, (i + 1) * chunk)).moments(attributions)


def constant_moments(
    section: Section,
    batch: Batch,
    basis: Basis,
    next_basis: Basis,
    rule: Rule,
) -> InteractionMoments:
    """Return the moments of the pairs (constant feature, target) of one batch, as a single row.

    A_it0 = (∫ DF(α f; α b)[μ; b] dα C_{l+1} − μ_{l+1} C_{l+1})_ti: the constant stands for the mean
    activation and the biases together, less what the next layer's constant stands for. In a
    dictionary the decoder's bias takes the place of μ, and the encoder's that of −μ_{l+1} C_{l+1}.
    """
    f, mask = batch.activations[section.source.index], batch.mask(section.source)
    names = section.biases
    origin = basis.origin_at(f).expand_as(f)
    if mask is not None:
        origin = origin * mask[..., None]
    reached = torch.zeros(()).to(f)
    for alpha, weight in zip(rule.nodes, rule.weights, strict=True):
        biases = section.scaled_biases(alpha)
        values = tuple(biases[name] for name in names)
        full = tuple(section.parameters[name] for name in names)

        def moved(z: Tensor, *b: Tensor) -> Tensor:
            return section(z, batch.constants, dict(zip(names, b, strict=True)))

        reached = reached + weight * derivative(moved, (alpha * f, *values), (origin, *full))
    offset = next_basis.offset_at(batch.activations[section.target.index])
    attributions = reached @ next_basis.rotation + offset
    return _readout(section, batch, next_basis).moments(attributions[None])
