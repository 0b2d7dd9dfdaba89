"""The score on what is rebuilt, against a plain walk through the network."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from lib_graph.analysis.measuring.splicing import ALL, spliced
from lib_graph.analysis.reopening import Reopened
from lib_graph.data.evaluation import Evaluation
from lib_graph.errors import UsageError
from lib_graph.method.basis import RawBasis
from lib_graph.method.dictionary import Dictionary
from lib_graph.networks.subject import Subject
from tests.lib_graph.language_models import network, tokens

pytestmark = pytest.mark.slow
GENERATOR = torch.Generator().manual_seed(5)


def dictionary(width):
    def some(*shape):
        return torch.randn(*shape, generator=GENERATOR, dtype=torch.float64)

    return Dictionary(some(width, 20), some(20), 0.3 * some(20, width), some(width), "topk", k=6)


@pytest.fixture(scope="module")
def given():
    module, cut = network("gpt2")
    bases = {layer.name: dictionary(layer.width) for layer in cut.layers[:-1]}
    bases[cut.layers[-1].name] = RawBasis(cut.layers[-1].width)
    inputs = tokens(11)
    evaluation = Evaluation.next_tokens("tokens", inputs)
    subject = Subject("gpt2", "gpt2", module, (inputs,), "tokens", {}, evaluation=evaluation)
    return Reopened(subject, cut, bases)


def rebuilt(basis, f):
    """What the six largest features rebuild, found by sorting."""
    before = f @ basis.encoder + basis.encoder_bias
    level = before.sort(dim=-1, descending=True).values[..., 5:6]
    features = torch.where(before >= level, before, 0.0).clamp_min(0.0)
    return features @ basis.decoder + basis.decoder_bias


def test_a_layer_replaced_is_what_the_sections_before_and_after_it_make(given):
    opened = given
    found = spliced(opened).set_index("layer")["score"]
    cut, (inputs,) = opened.network, opened.subject.inputs
    names = [layer.name for layer in cut.layers[:-1]]
    assert list(found.index) == [*names, ALL]
    for case in [*([name] for name in names), names]:
        with torch.no_grad():
            batch = cut.run(inputs)
            f = batch.activations[0]
            for index, name in enumerate(names):
                f = rebuilt(opened.bases[name], f) if name in case else f
                f = cut.sections[index](f, batch.constants)
        expected = cross_entropy(f[:, :-1].flatten(0, 1), inputs[:, 1:].flatten()).item()
        assert found[case[0] if len(case) == 1 else ALL] == pytest.approx(expected)


def test_a_network_without_next_tokens_is_refused(given):
    opened = given
    subject = Subject("x", "x", opened.subject.module, opened.subject.inputs, "x", {})
    with pytest.raises(UsageError, match="no cross-entropy"):
        spliced(Reopened(subject, opened.network, opened.bases))
