"""Heads and positions of features, against the attention modules themselves and plain loops."""

import copy

import numpy as np
import pytest
import torch

from lib_graph.analysis.measuring.structure import (
    feature_parts,
    heads_reading,
    heads_writing,
    position_strengths,
)
from lib_graph.analysis.reopening import Reopened
from lib_graph.method.basis import RawBasis
from lib_graph.networks.subject import Subject
from tests.lib_graph.language_models import network, tokens
from tests.lib_graph.nets import random_basis

pytestmark = pytest.mark.slow


def parts_of(model, family):
    """The norm, the attention and its output weights, heads along the first axis of W_O."""
    if family == "gpt2":
        block = model.transformer.h[0]
        return block.ln_1, block.attn, block.attn.c_proj
    block = model.model.layers[0]
    return block.input_layernorm, block.self_attn, block.self_attn.o_proj


def written_by(model, family, head, heads, inputs):
    """What one head alone writes where it attends to one token, biases apart."""
    norm, attention, out = (copy.deepcopy(part).double() for part in parts_of(model, family))
    others = [h for h in range(heads) if h != head]
    weight = out.weight if family == "gpt2" else out.weight.T
    kept = weight.detach().clone().unflatten(0, (heads, -1))
    kept[others] = 0
    weight.data.copy_(kept.flatten(0, 1))
    if family == "gpt2":
        attention.c_proj = out
        found = [attention(x[None, None])[0] for x in (*inputs, torch.zeros_like(inputs[0]))]
    else:
        attention.o_proj = out
        turned = model.model.rotary_emb(inputs[:1, None], torch.zeros(1, 1, dtype=torch.long))
        found = [
            attention(x[None, None], position_embeddings=turned, attention_mask=None)[0]
            for x in (*inputs, torch.zeros_like(inputs[0]))
        ]
    *each, none = (x[0, 0] for x in found)
    return torch.stack(each) - none, norm


@pytest.mark.parametrize(("family", "heads"), [("gpt2", 2), ("llama", 4)])
def test_what_a_head_reads_and_writes_is_what_it_does_alone(family, heads):
    module, found = network(family)
    kind = found.sections[0].kind
    basis = random_basis(16, 5)
    read, written = heads_reading(kind, basis.inverse), heads_writing(kind, basis.rotation)
    for head in range(heads):
        norm = parts_of(module.model, family)[0]
        centred = basis.inverse
        if family == "gpt2":
            centred = centred - centred.mean(1, keepdim=True)
        alone, _ = written_by(module.model, family, head, heads, centred * norm.weight.double())
        assert read[head] == pytest.approx(alone.norm(dim=1).numpy(), rel=1e-5)
        every, _ = written_by(module.model, family, head, heads, torch.eye(16).double())
        expected = (every @ basis.rotation).norm(dim=0).numpy()
        assert written[head] == pytest.approx(expected, rel=1e-5)


def test_features_go_to_the_head_and_the_stretch_where_they_are_strongest():
    module, cut = network("llama")
    inputs = tokens(9)
    bases = {layer.name: random_basis(layer.width, 4) for layer in cut.layers[:-1]}
    bases[cut.layers[-1].name] = RawBasis(torch.ones(cut.layers[-1].width).double())
    counted = torch.ones(9, 6, dtype=torch.bool)
    counted[3:, 4:] = False
    subject = Subject("llama", "llama", module, (inputs,), "tokens", {}, counted=counted)
    opened = Reopened(subject, cut, bases)
    parts = feature_parts(opened)
    assert set(parts["layer"]) == {layer.name for layer in cut.layers[:-1]}
    assert not parts.duplicated(["structure", "layer", "attention", "index"]).any()
    kinds = [section.kind for section in cut.sections]
    assert set(parts["index"]) == {1, 2, 3, 4}
    for number in (0, 2):
        first, second = (cut.layers[number + end].name for end in (0, 1))
        read = heads_reading(kinds[number], bases[first].inverse)
        wrote = heads_writing(kinds[number], bases[second].rotation)
        own = parts[parts["attention"] == first]
        assert own[own["layer"] == first]["part"].tolist() == read.argmax(0).tolist()
        assert own[own["layer"] == second]["part"].tolist() == wrote.argmax(0).tolist()
    layer = cut.layers[1]
    features = bases[layer.name].coordinates(cut.run(inputs).activations[1]).numpy()
    strengths = position_strengths(opened)[layer.name]
    own = parts[(parts["layer"] == layer.name) & (parts["structure"] == "positions")]
    for index, part in zip(own["index"], own["part"], strict=True):
        means = {}
        for start, stretch in ((0, [0]), (1, [1]), (2, [2, 3]), (4, [4, 5])):
            squares = [features[x, t, index - 1] ** 2
                       for x in range(9) for t in stretch if counted[x, t]]  # fmt: skip
            means[start] = np.mean(squares)
        assert strengths[:, index - 1] == pytest.approx(list(means.values()))
        assert part == max(means, key=means.get)
