"""Which head, and which stretch of positions, each feature goes with most (docs/method.md §18)."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.analysis.reopening import Reopened
from lib_graph.kinds import Attention
from lib_graph.support.sparsity import Floats

__all__ = ["PARTS", "feature_parts", "heads_reading", "heads_writing", "position_strengths"]

PARTS = ("structure", "layer", "attention", "index", "part")
ROWS = 8  # samples that are looked at together


def feature_parts(opened: Reopened) -> pd.DataFrame:
    """Return rows of PARTS: where in the network each feature is strongest.

    structure heads: of the features of a layer before an `attention`, named by that layer, the head
        that reads them most, of those after it the head that writes to them most.
    structure positions: the stretch of positions, named by its first, where the feature's mean
        square is largest; `attention` is empty.

    `index` is that of the run's features: the constant, 0, is no part of this. Nor is a feature for
    which nothing is strongest, all being 0, or a raw layer.
    """
    starts = _starts(opened.subject.inputs[0].shape[1])
    found = [("heads", *rest) for rest in _heads(opened)]
    found += [("positions", layer, "", each) for layer, each in position_strengths(opened).items()]
    frames = [pd.DataFrame(columns=list(PARTS))]
    for structure, layer, attention, strengths in found:
        known = strengths.max(0) > 0
        most = strengths.argmax(0)[known]
        own = {
            "structure": structure, "layer": layer, "attention": attention,
            "index": known.nonzero()[0] + 1,
            "part": [starts[part] for part in most] if structure == "positions" else most,
        }  # fmt: skip
        frames.append(pd.DataFrame(own))
    return pd.concat(frames[1:] or frames, ignore_index=True)


def _heads(opened: Reopened) -> Iterator[tuple[str, str, Floats]]:
    """Yield the layers on either side of each attention, its name, and heads × features."""
    for section in opened.network.sections:
        if isinstance(section.kind, Attention):
            name = section.source.name
            source, target = (opened.bases[end.name] for end in (section.source, section.target))
            if not source.raw:
                yield name, name, heads_reading(section.kind, source.inverse)
            if not target.raw:
                yield section.target.name, name, heads_writing(section.kind, target.rotation)


@torch.no_grad()
def heads_reading(attention: Attention, inverse: Float[Tensor, "r d"]) -> Floats:
    """Return how much each head reads of each feature, heads × features: |D_i P Γ W_V^h W_O^h|.

    It is the length of what the head writes of feature i where it attends to it alone; P Γ is that
    of the norm.
    """
    through = _through(attention)
    into = inverse.to(through)
    if attention.norm is not None:
        into = attention.norm.centre(into) * attention.norm.gain
    found: Floats = (into @ through).norm(dim=2).double().numpy()
    return found


@torch.no_grad()
def heads_writing(attention: Attention, rotation: Float[Tensor, "d r"]) -> Floats:
    """Return how much each head writes to each feature, heads × features: |W_V^h W_O^h C_j|."""
    through = _through(attention)
    found: Floats = (through @ rotation.to(through)).norm(dim=1).double().numpy()
    return found


def _through(attention: Attention) -> Float[Tensor, "h d d"]:
    """Return W_V W_O of each head, W_V that of its group."""
    each = len(attention.w_q) // len(attention.w_v)
    return attention.w_v.repeat_interleave(each, 0) @ attention.w_o


@torch.no_grad()
def position_strengths(opened: Reopened) -> dict[str, Floats]:
    """Return stretches × features, mean squares, of each layer that has all positions of the data.

    The stretches are 0, 1, 2–3, 4–7, …, each as long as all before it; raw layers are left out.
    """
    inputs, counted = opened.subject.inputs[0], opened.subject.counted
    weight = torch.ones(inputs.shape[:2]) if counted is None else counted
    layers = [
        layer for layer in opened.network.layers
        if not opened.bases[layer.name].raw and layer.positions == inputs.shape[1] > 1
    ]  # fmt: skip
    sums: dict[str, Tensor | float] = dict.fromkeys((layer.name for layer in layers), 0.0)
    for rows, counts in zip(inputs.split(ROWS), weight.double().split(ROWS), strict=True):
        activations = opened.network.run(rows).activations
        for layer in layers:
            features = opened.bases[layer.name].coordinates(activations[layer.index]).double()
            sums[layer.name] += torch.einsum("ns,nsr->sr", counts, features.square())
    starts = _starts(inputs.shape[1])[1:]
    numbers = [part.sum() for part in weight.double().sum(0).tensor_split(starts)]
    found = {}
    for name, squares in sums.items():
        parts = [part.sum(0) for part in torch.as_tensor(squares).tensor_split(starts)]
        pairs = zip(parts, numbers, strict=True)
        found[name] = torch.stack([part / number for part, number in pairs]).nan_to_num().numpy()
    return found


def _starts(positions: int) -> list[int]:
    """Return where the stretches begin.

    >>> _starts(5)
    [0, 1, 2, 4]
    """
    return [0, *(1 << n for n in range((positions - 1).bit_length()))]
