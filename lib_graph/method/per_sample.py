"""Interaction strengths of each sample by itself, exact and as one random probe sees them.

E_ij is a mean over samples; its uncertainty, and that of all that is said of a whole section,
follows from what each sample gives (docs/method.md §18).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.method.dictionary import Basis
from lib_graph.method.interactions import pushed, question_of
from lib_graph.method.jacobians import random_signs
from lib_graph.method.moments import InteractionMoments
from lib_graph.method.network import Batch, Section
from lib_graph.method.readout import Readout
from lib_graph.method.rules import Rule

__all__ = ["SampleSquares", "sample_squares"]


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
    """A readout that keeps the squares of each sample of whatever attributions it is given."""

    signs: Float[Tensor, "n t"] = field(default_factory=lambda: torch.ones(1, 1))
    heard: list[SampleSquares] = field(default_factory=list)

    def moments(self, attributions: Float[Tensor, "j n t r"]) -> InteractionMoments:
        counting = self.counting(attributions)
        probed = torch.einsum("jntr,nt->njr", counting, self.signs).square()
        self.heard.append(SampleSquares(counting.square().sum(2).transpose(0, 1), probed))
        return InteractionMoments.of(counting, self.positions)

    def complete(self, sources: int) -> bool:
        """Return whether it was given all attributions: some closed forms do not make them."""
        shapes = [part.exact.shape[1:] for part in self.heard]
        wide = all(columns == self.rotation.shape[1] for _, columns in shapes)
        return wide and sum(rows for rows, _ in shapes) == sources


def sample_squares(
    section: Section, batch: Batch, basis: Basis, next_basis: Basis, rule: Rule, chunk: int
) -> SampleSquares:
    """Return what each sample of a batch gives for all pairs (source, target), without constants.

    The signs of the probe are the same for all pairs of a sample, and follow from its number and
    the section: one backward pass per target gives it.
    """
    question = question_of(section, batch, basis, next_basis, rule, chunk)
    n, t = batch.activations[section.target.index].shape[:2]
    signs = torch.stack([random_signs((t,), batch.start + i, section) for i in range(n)])
    heard = _Listening(**vars(question.readout), signs=signs.to(question.f))
    for _ in section.kind.interactions(question.heard_by(heard)) or ():
        pass
    if not heard.complete(basis.features):
        heard = replace(heard, heard=[])
        for attributions in pushed(section, batch, question):
            heard.moments(attributions)
    return SampleSquares(
        torch.cat([part.exact for part in heard.heard], 1),
        torch.cat([part.probed for part in heard.heard], 1),
    )
