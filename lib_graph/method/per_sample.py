"""Interaction strengths of each sample alone: exact, as one random probe sees them, by position.

E_ij is a mean over samples; its uncertainty, and that of all that is said of a whole section,
follows from what each sample gives (docs/method.md §18). Of one sample it is a sum over positions,
which says at which of them something flows in (§11).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.method.dictionary import Basis
from lib_graph.method.interactions import pushed, question_of
from lib_graph.method.jacobians import random_signs
from lib_graph.method.moments import InteractionMoments
from lib_graph.method.network import Batch, Section
from lib_graph.method.question import Question
from lib_graph.method.readout import Readout
from lib_graph.method.rules import Rule
from lib_graph.support.devices import temporary

__all__ = ["SampleSquares", "position_strengths", "sample_squares"]

ELEMENTS = 1 << 22  # of attributions that a closed form, whose memory was planned, does not make

Kept = list[tuple[Tensor, ...]]
Keep = Callable[[Kept, Float[Tensor, "j n t r"]], None]


@dataclass(frozen=True)
class SampleSquares:
    """Of each sample x, exact: Σ_t A_itj(x)²; probed: (Σ_t ε_t A_itj(x))², ε_t = ±1 at random.

    The mean of the second over ε is the first. Divided by the positions of all samples, their sums
    over samples are E_ij, and what it is taken for with one random probe a sample.
    """

    exact: Float[Tensor, "n r next_r"]
    probed: Float[Tensor, "n r next_r"]


@dataclass(frozen=True)
class _Listening(Readout):
    """A readout that keeps something of whatever attributions it is given, and their shapes."""

    keep: Keep = lambda kept, counting: kept.append((counting,))
    kept: Kept = field(default_factory=list)
    shapes: list[tuple[int, int]] = field(default_factory=list)

    def moments(self, attributions: Float[Tensor, "j n t r"]) -> InteractionMoments:
        counting = self.counting(attributions)
        self.keep(self.kept, counting)
        self.shapes.append((counting.shape[0], counting.shape[-1]))
        return InteractionMoments.of(counting, self.positions)

    def complete(self, sources: int) -> bool:
        """Return whether it was given all attributions: some closed forms do not make them."""
        wide = all(columns == self.rotation.shape[1] for _, columns in self.shapes)
        return wide and sum(rows for rows, _ in self.shapes) == sources


def sample_squares(
    section: Section, batch: Batch, basis: Basis, next_basis: Basis, rule: Rule, chunk: int
) -> SampleSquares:
    """Return what each sample of a batch gives for all pairs (source, target), without constants.

    The signs of the probe are the same for all pairs of a sample, and follow from its number and
    the section: one backward pass per target gives it.
    """
    n, t = batch.activations[section.target.index].shape[:2]
    drawn = torch.stack([random_signs((t,), batch.start + i, section) for i in range(n)])
    question = question_of(section, batch, basis, next_basis, rule, chunk)
    signs = drawn.to(question.f)

    def squares(kept: Kept, counting: Float[Tensor, "j n t r"]) -> None:
        probed = torch.einsum("jntr,nt->njr", counting, signs).square()
        kept.append((counting.square().sum(2).transpose(0, 1), probed))

    found = _listened(section, batch, question, squares)
    exact, probed = (torch.cat(parts, 1) for parts in zip(*found, strict=True))
    return SampleSquares(exact, probed)


def position_strengths(
    section: Section, batch: Batch, basis: Basis, next_basis: Basis, rule: Rule, chunk: int
) -> Float[Tensor, "n t next_r"]:
    """Return Σ_j A_itj(x)² / S: what flows into each target at each of its positions.

    Of one sample, its sum over positions t is Σ_j E_ij(x). Constants are left out; S counts the
    input positions of the batch.
    """

    def add(kept: Kept, counting: Float[Tensor, "j n t r"]) -> None:
        squares = counting.square().sum(0)
        kept[:] = [(squares + kept[0][0] if kept else squares,)]

    question = question_of(section, batch, basis, next_basis, rule, chunk)
    ((total,),) = _listened(section, batch, question, add)
    return total / question.readout.positions


def _listened(section: Section, batch: Batch, question: Question, keep: Keep) -> Kept:
    """Return what is kept of the attributions of all sources, which come some at a time."""
    listening = _Listening(**vars(question.readout), keep=keep)
    for _ in section.kind.interactions(question.heard_by(listening)) or ():
        pass
    if listening.complete(question.inverse.shape[0]):
        return listening.kept
    kept: Kept = []
    each = (
        batch.activations[section.target.index][..., 0].numel() * question.readout.rotation.shape[1]
    )
    most = max(1, temporary(question.f, ELEMENTS) // max(each, 1))
    question = replace(question, chunk=min(question.chunk, most))
    for attributions in pushed(section, batch, question):
        keep(kept, question.readout.counting(attributions))
    return kept
