"""At which tokens of one input something flows into each layer."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lib_graph.data.notation import Notation, Sample
from lib_graph.method.dictionary import Basis
from lib_graph.method.network import Batch, Layer, Section
from lib_graph.method.per_sample import position_strengths
from lib_graph.method.rules import Rule
from lib_graph.run.traced import LayerFlow, TracedTokens
from lib_graph.support.sparsity import count_carrying

__all__ = ["layer_flow", "text_pieces", "traced_tokens"]


def text_pieces(notation: Notation, sample: Sample, layers: Sequence[Layer]) -> tuple[str, ...]:
    """Return the text at each position of a sample, () unless all layers have these positions."""
    pieces = notation.pieces(sample)
    return pieces if all(layer.positions == len(pieces) for layer in layers) else ()


def layer_flow(
    section: Section, batch: Batch, basis: Basis, next_basis: Basis, rule: Rule, chunk: int
) -> LayerFlow:
    """Return what flows into a section's target at each position of a batch of one sample."""
    (strength,) = position_strengths(section, batch, basis, next_basis, rule, chunk).cpu().double()
    carrying = torch.from_numpy(count_carrying(strength.numpy(), 0.9)).nan_to_num(0)
    return LayerFlow(
        layer=section.target.name,
        strength=tuple(strength.sum(1).tolist()),
        nodes=tuple((strength > 0).sum(1).tolist()),
        for_90=tuple(carrying.long().tolist()),
    )


def traced_tokens(
    pieces: Sequence[str], sample: Sample, flows: Sequence[LayerFlow]
) -> TracedTokens | None:
    """Return what flows in at the tokens that count; None of an input that is no text."""
    if not pieces:
        return None
    count = list(range(len(pieces)))
    if sample.counted is not None:
        count = sample.counted.nonzero()[:, 0].tolist()
    return TracedTokens(
        tokens=tuple(pieces[t] for t in count),
        layers=tuple(
            LayerFlow(
                layer=flow.layer,
                strength=tuple(flow.strength[t] for t in count),
                nodes=tuple(flow.nodes[t] for t in count),
                for_90=tuple(flow.for_90[t] for t in count),
            )
            for flow in flows
        ),
    )
