"""Language models: their sections are the models, and so are the derivatives."""

from functools import reduce

import pytest
import torch
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from lib_graph.data.evaluation import Metric
from lib_graph.data.text import Text
from lib_graph.kinds import Attention, GatedMLP, Linear, NormLinear, ResidualMLP, Tail
from lib_graph.method.interactions import constant_moments, interaction_moments
from lib_graph.method.jacobians import second_moment
from lib_graph.method.moments import InteractionMoments, Moments
from lib_graph.method.network import Batch
from lib_graph.method.rules import Rule
from lib_graph.networks import load_subject
from tests.data import reference_data
from tests.lib_graph.language_models import (
    CONFIGS,
    LIKE_LLAMA,
    network,
    random_model,
    save_model,
    tokens,
)
from tests.lib_graph.method.test_interactions import check
from tests.lib_graph.method.test_jacobians import brute, relative
from tests.lib_graph.nets import random_basis

GRADIENT = Rule.named("gradient")
GRANULARITIES = ["block", pytest.param("paper", marks=pytest.mark.slow)]


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in CONFIGS if name != "llama"]


@pytest.fixture(params=["llama", *SLOW])
def name(request):
    return request.param


@pytest.mark.sampled
def test_logits_are_those_of_transformers(name, tmp_path):
    subject = load_subject(save_model(tmp_path, name))
    truth = AutoModelForCausalLM.from_pretrained(tmp_path)(tokens()).logits
    assert torch.equal(subject.module(tokens()), truth)


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_the_chain_gives_the_logits_whatever_the_sizes(name, granularity):
    module, found = network(name, granularity)
    for rows, context in ((4, 6), (1, 3), (5, 12)):
        x = tokens(rows, context)
        logits = module(x)
        error = (found.run(x).activations[-1] - logits).abs().max()
        assert error < 1e-6 * logits.abs().max()  # transformers' norms round to float32


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_jacobian_second_moments(name, granularity):
    _, found = network(name, granularity)
    whole, rows = found.run(tokens(2)), [found.run(row[None]) for row in tokens(2)]
    for section in found.sections:
        rotation, index = random_basis(section.target.width, 4).rotation, section.source.index
        result = second_moment(section, whole, rotation, GRADIENT, 4)
        one_by_one = [(row.activations[index], row.constants) for row in rows]
        truth = sum(brute(section, *row, rotation, GRADIENT) for row in one_by_one)
        assert relative(result, truth) < 1e-11


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("granularity", ["block", "paper"])
def test_interactions(name, granularity):
    check(network(name, granularity)[1], tokens(2, 4), GRADIENT)


@pytest.mark.slow
def test_every_section_of_a_block_has_a_closed_form():
    found = {name: [type(s.kind) for s in network(name, "block")[1].sections] for name in CONFIGS}
    assert found["gpt2"] == found["gpt_neo"] == [Attention, ResidualMLP] * 2 + [NormLinear]
    assert found["llama"] == [Attention, GatedMLP] * 2 + [NormLinear]


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("name", LIKE_LLAMA)
def test_every_section_of_what_is_built_like_llama_has_a_closed_form(name):
    """That it is the right one is checked where the network is cut, over more than a window."""
    module, found = network(name)
    assert [type(s.kind) for s in found.sections] == [Attention, GatedMLP] * 2 + [NormLinear]
    windows = [s.kind.window for s in found.sections[:3:2]]
    expected = {"mistral": [3, 3], "qwen2 with a window in its last block": [None, 3]}
    assert windows == expected.get(name, [None, None])
    logits = module(tokens())
    assert (found.run(tokens()).activations[-1] - logits).abs().max() < 1e-6 * logits.abs().max()


@pytest.mark.slow
def test_layers_of_the_papers():
    _, found = network("gpt2", "paper")
    block = [("ln1", 16), ("ln1_out", 17), ("attn_in", 32), ("ln2", 16), ("ln2_out", 17)]
    names = [(f"{name}.0", width) for name, width in [*block, ("mlp_in", 32)]]
    assert [(layer.name, layer.width) for layer in found.layers[:6]] == names
    assert [layer.name for layer in found.layers[-4:]] == [
        "ln_final", "ln_final_out", "unembed", "output",
    ]  # fmt: skip
    variances = [layer.name for layer in found.layers if layer.variance]
    assert variances == ["ln1_out.0", "ln2_out.0", "ln1_out.1", "ln2_out.1", "ln_final_out"]
    kinds = [type(section.kind) for section in found.sections]
    assert kinds[2::3] == [Tail] * 4 + [Linear]


@pytest.mark.slow
def test_the_variance_is_that_of_the_norm():
    module, found = network("gpt2", "paper")
    batch = found.run(tokens())
    f, inside = batch.activations[:2]
    assert torch.allclose(inside[..., 0], f.var(-1, correction=0), rtol=1e-12)
    assert torch.equal(inside[..., 1:], f)
    normalised, residual = batch.activations[2].split(16, -1)
    assert torch.allclose(normalised, module.model.transformer.h[0].ln_1(f), rtol=1e-10)
    assert torch.equal(residual, f)


def moments(section, batch, bases):
    where = (section, batch, *bases, GRADIENT)
    return InteractionMoments.stack([constant_moments(*where), interaction_moments(*where, 4)])


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_padding_changes_nothing(name, granularity):
    """Rows of unequal length, padded behind, are the rows one by one."""
    _, found = network(name, granularity)
    lengths, x = (4, 2, 6), tokens(3)
    counted = torch.arange(6) < torch.tensor(lengths)[:, None]
    padded = found.run(torch.where(counted, x, 0))
    whole = Batch(padded.activations, padded.constants, counted)
    alone = [found.run(row[None, :n]) for row, n in zip(x, lengths, strict=True)]
    for layer in found.layers:
        one = Moments.of(whole.activations[layer.index], whole.mask(layer))
        other = reduce(Moments.merge, [Moments.of(b.activations[layer.index]) for b in alone])
        assert torch.allclose(one.mean, other.mean, atol=1e-10)
        assert (one.gram - other.gram).norm() < 1e-10 * other.gram.norm()
    for section in found.sections:
        bases = random_basis(section.source.width, 3), random_basis(section.target.width, 2)
        one = second_moment(section, whole, bases[1].rotation, GRADIENT, 4)
        other = sum(second_moment(section, b, bases[1].rotation, GRADIENT, 4) for b in alone)
        assert (one - other).norm() < 1e-10 * other.norm()
        padded, single = (
            moments(section, whole, bases),
            reduce(InteractionMoments.merge, [moments(section, b, bases) for b in alone]),
        )
        for part in ("strength", "effect", "stderr"):
            error = (getattr(padded, part) - getattr(single, part)).abs().max()
            assert error < 1e-10 * getattr(single, part).abs().max()


@pytest.mark.slow
def test_stories260k_predicts_stories():
    text = Text(reference_data("tinystories/stories.txt"), context=512, tokens=512)
    subject = load_subject(reference_data("stories260k"), text)
    (x,) = subject.inputs
    assert x.shape == (1, 512)
    tokenizer = Tokenizer.from_file(str(reference_data("stories260k/tokenizer.json")))
    assert int(x[0, 0]) == tokenizer.token_to_id("<s>")
    with torch.no_grad():
        loss = cross_entropy(subject.module(x)[0, :-1], x[0, 1:])
        outputs = subject.module(x)
    assert float(loss) == pytest.approx(1.456, abs=5e-4)
    held_out = subject.evaluation
    total = Metric(held_out.metric).total(outputs, held_out.targets, held_out.counted)
    assert (total.mean, total.answers) == (pytest.approx(float(loss)), 511)


def test_tied_weights_are_hashed_and_counted_as_torch_does():
    model = random_model("llama")
    assert model.lm_head.weight is model.model.embed_tokens.weight
    names = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    assert {"lm_head.weight", "model.embed_tokens.weight"} <= names
