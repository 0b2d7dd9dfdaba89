"""What each sample gives, against a loop over backward passes of that sample alone."""

import pytest
import torch
from torch.autograd.functional import jacobian

from lib_graph.cutting.cuts import cut
from lib_graph.kinds import ResidualMLP
from lib_graph.method import per_sample
from lib_graph.method.dictionary import Dictionary
from lib_graph.method.interactions import interaction_moments
from lib_graph.method.jacobians import random_signs
from lib_graph.method.kind import Kind
from lib_graph.method.network import Batch, Layer, Section
from lib_graph.method.per_sample import position_strengths, sample_squares
from lib_graph.method.rules import Rule
from lib_graph.networks.modular_addition import LAYERS, kinds, split
from lib_graph.support.memory import peak_bytes
from tests.lib_graph.language_models import network, tokens
from tests.lib_graph.method.test_interactions import brute
from tests.lib_graph.nets import CONFIG, random_basis, stacked_network, transformer

RULE = Rule.named("gradient")


def networks():
    module = transformer().requires_grad_(False)
    inputs = split(CONFIG)[0][:3]
    yield cut(module, (inputs,), LAYERS, kinds=kinds(module)), inputs
    _, stacked, rows = stacked_network()
    yield stacked, rows[:3]
    for name in ("gpt_neo", "llama"):
        yield network(name)[1], tokens(3)


@pytest.mark.slow
@pytest.mark.parametrize("case", range(4), ids=["transformer", "stacked", "gpt_neo", "llama"])
def test_squares_of_each_sample_are_those_of_the_definition(case):
    whole, inputs = list(networks())[case]
    batch, one = whole.run(inputs), [whole.run(x[None]) for x in inputs]
    for section in whole.sections:
        basis = random_basis(section.source.width, 5)
        following = random_basis(section.target.width, 2, seed=1)
        found = sample_squares(section, batch, basis, following, RULE, 3)
        for x, alone in enumerate(one):
            f = alone.activations[section.source.index][0]
            A = brute(section, f, alone.constants, basis, following, RULE)[1:]
            here = position_strengths(section, alone, basis, following, RULE, 3)[0]
            expected = (A**2).sum(0) / alone.rows(section.source)
            assert torch.allclose(here, expected, atol=1e-10 * float(expected.max()))
            signs = random_signs((A.shape[1],), x, section).double()
            probe = torch.stack([A[:, t] * signs[t] for t in range(A.shape[1])]).sum(0) ** 2
            exact = (A**2).sum(1)
            assert torch.allclose(found.exact[x], exact, atol=1e-10 * float(exact.max()))
            assert torch.allclose(found.probed[x], probe, atol=1e-10 * float(exact.max()))
        moments = interaction_moments(section, batch, basis, following, RULE, 3)
        total = found.exact.sum(0) / batch.rows(section.source)
        assert torch.allclose(total, moments.strength, rtol=1e-9)


@pytest.mark.parametrize("closed", [True, False], ids=["closed form", "forward mode"])
def test_what_does_not_count_or_is_off_takes_no_part(closed):
    """Positions that are padding, and features of a dictionary that are not active."""
    draw = torch.Generator().manual_seed(4)
    f, w, encoder = (torch.randn(*shape, generator=draw).double() for shape in
                     [(1, 3, 4), (4, 4), (4, 6)])  # fmt: skip
    mlp = ResidualMLP(w, None, w.T, None, "tanh", None)
    ends = (Layer(i, name, ((3, 4),)) for i, name in enumerate("ab"))
    kind = mlp if closed else Kind()
    section = Section(*ends, lambda tensors, *_: [mlp(tensors[0])], {}, (), kind)
    counted = torch.tensor([[True, False, True]])
    batch = Batch((f, mlp(f)), (), counted)
    basis, zeros = random_basis(4, 2), torch.zeros(6).double()
    following = Dictionary(encoder, zeros, encoder.T, zeros[:4], "relu")
    J = jacobian(lambda z: mlp(z[None])[0], f[0])
    values = basis.coordinates(f)[0] * counted[0][:, None]
    A = torch.einsum("sj,jd,tesd,ei->jti", values, basis.inverse, J, encoder)
    A = A * (mlp(f)[0] @ encoder > 0) * counted[0][:, None]
    assert (A[:, [0, 2]] == 0).any()
    found = position_strengths(section, batch, basis, following, RULE, 3)[0]
    assert torch.allclose(found, A.square().sum(0) / 2, rtol=1e-10)
    exact = sample_squares(section, batch, basis, following, RULE, 3).exact[0]
    assert torch.allclose(exact, A.square().sum(1), rtol=1e-10)


@pytest.mark.slow
def test_attributions_to_a_vocabulary_take_little_memory(monkeypatch):
    """The section into the logits has a closed form that makes none, by which memory is planned."""
    whole, inputs = network("gpt_neo")[1], tokens(1)
    batch, section = whole.run(inputs), whole.sections[-1]
    ends = random_basis(section.source.width, 8), random_basis(section.target.width, 5)
    found, peaks = [], []
    for elements in (1, 1 << 22):
        monkeypatch.setattr(per_sample, "ELEMENTS", elements)
        compute = lambda: found.append(position_strengths(section, batch, *ends, RULE, 8))  # noqa: E731
        peaks.append(peak_bytes(compute))
    assert torch.allclose(*found, rtol=1e-12)
    assert peaks[0] < peaks[1] / 2


@pytest.mark.slow
def test_signs_are_even_and_follow_from_sample_and_section():
    (whole, _), *_ = networks()
    first, second = whole.sections[:2]
    drawn = torch.stack([random_signs((40,), n, first) for n in range(200)]).double()
    assert set(drawn.flatten().tolist()) == {-1.0, 1.0}
    assert drawn.mean().abs() < 0.05
    assert torch.equal(random_signs((40,), 3, first), drawn[3].long())
    assert not torch.equal(random_signs((40,), 3, second), drawn[3].long())
