"""Interaction strengths against loops over backward passes."""

import pytest
import torch

from lib_graph.cutting.cuts import cut
from lib_graph.method.basis import neuron_basis, pca_basis
from lib_graph.method.interactions import constant_moments, interaction_moments
from lib_graph.method.moments import InteractionMoments, Moments
from lib_graph.method.rules import Rule
from lib_graph.networks.modular_addition import LAYERS, kinds, split
from tests.lib_graph.nets import CONFIG, jacobian_of, random_basis, stacked_network, transformer

RULE_NAMES = ["gradient", "gauss-legendre", "trapezoid"]


def rule_of(name):
    return Rule.named(name, 3 if name != "gradient" else None)


def brute(section, f, constants, basis, next_basis, rule):
    """A_itj of one sample, f s × d, the constant feature in row 0: (1 + r) × t × r'."""

    def function(z, alpha):
        return section(z, constants, section.scaled_biases(alpha))

    J = jacobian_of(function, f, rule)  # t e s d
    features = (f - basis.mean) @ basis.rotation
    others = torch.einsum("sj,jd,tesd,ei->jti", features, basis.inverse, J, next_basis.rotation)
    moved = torch.einsum("d,tesd->te", basis.mean, J)
    names = section.biases
    for alpha, weight in zip(rule.nodes, rule.weights, strict=True):
        biases = [(alpha * section.parameters[n]).requires_grad_() for n in names]
        out = section(alpha * f[None], constants, dict(zip(names, biases, strict=True)))[0]
        for t in range(out.shape[0] if names else 0):
            for e in range(out.shape[1]):
                slopes = torch.autograd.grad(
                    out[t, e], biases, retain_graph=True, materialize_grads=True
                )
                for name, slope in zip(names, slopes, strict=True):
                    moved[t, e] += weight * (slope * section.parameters[name]).sum()
    constant = (moved - next_basis.mean) @ next_basis.rotation
    return torch.cat([constant[None], others]).detach()


def found(section, batch, basis, next_basis, rule, chunk=3):
    where = (section, batch, basis, next_basis, rule)
    return InteractionMoments.stack([constant_moments(*where), interaction_moments(*where, chunk)])


def check(network, inputs, rule):
    one = [network.run(x[None]) for x in inputs]
    batch = network.run(inputs)
    for section in network.sections:
        index = section.source.index
        basis = random_basis(section.source.width, max(1, section.source.width - 1))
        next_basis = random_basis(section.target.width, 2, seed=1)
        arguments = (basis, next_basis, rule)
        A = torch.stack(
            [brute(section, b.activations[index][0], b.constants, *arguments) for b in one], 1
        )
        truth = InteractionMoments.of(A, batch.rows(section.source))
        result = found(section, batch, *arguments)
        assert torch.allclose(result.strength, truth.strength, rtol=1e-10)
        assert torch.allclose(result.effect, truth.effect, atol=1e-10 * truth.effect.abs().max())
        assert torch.allclose(result.stderr, truth.stderr, rtol=1e-8)


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("name", RULE_NAMES)
def test_any_section_by_jvps(name):
    _, network, inputs = stacked_network()
    check(network, inputs, rule_of(name))


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("name", RULE_NAMES)
def test_closed_forms_of_the_transformer(name):
    module = transformer().requires_grad_(False)
    tokens = split(CONFIG)[0][:4]
    network = cut(module, (tokens,), LAYERS, kinds=kinds(module))
    check(network, tokens, rule_of(name))


@pytest.mark.slow
def test_chunks_and_batches_change_nothing():
    _, network, inputs = stacked_network()
    section, rule = network.sections[1], Rule.named("gradient")
    basis, next_basis = random_basis(8, 7), random_basis(4, 3)

    def of(x, chunk):
        batch = network.run(x)
        return found(section, batch, basis, next_basis, rule, chunk)

    whole = of(inputs, 7)
    for parts in ([of(inputs[:1], 1), of(inputs[1:], 2)], [of(inputs.flip(0), 4)]):
        merged = parts[0] if len(parts) == 1 else parts[0].merge(parts[1])
        assert (merged.strength - whole.strength).norm() < 1e-10 * whole.strength.norm()
        assert (merged.effect - whole.effect).norm() < 1e-10 * whole.effect.norm()


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("make", [pca_basis, neuron_basis])
def test_completeness(make):
    """Along a path, all attributions of a target sum to what it is less what the baseline gives.

    Σ_j A_itj, the constant included, is F̂_it(f) − F̂_it(0; biases 0), if no direction is cut.
    """
    module = transformer().requires_grad_(False)
    tokens = split(CONFIG)[0]
    network = cut(module, (tokens[:4],), LAYERS)
    batch = network.run(tokens)
    rule = Rule.named("gauss-legendre", 32)
    section = network.sections[0]
    f = batch.activations[0]
    basis = make(Moments.of(f), "ln1.0", 1e-15)
    next_basis = make(Moments.of(batch.activations[1]), "ln2.0", 1e-15)
    moments = found(section, batch, basis, next_basis, rule)
    baseline = section(0 * f[:1], batch.constants, section.scaled_biases(0.0))
    reached = next_basis.coordinates(batch.activations[1]) - baseline @ next_basis.rotation
    total = moments.effect.sum(0) * f.shape[1]
    assert torch.allclose(total, reached.sum(1).mean(0), atol=1e-9 * reached.abs().max())


@pytest.mark.slow
def test_gradient_attributions_are_not_complete():
    """So that the law above is one: at the data point alone it does not hold."""
    module = transformer().requires_grad_(False)
    tokens = split(CONFIG)[0]
    network = cut(module, (tokens[:4],), LAYERS)
    batch = network.run(tokens)
    f = batch.activations[0]
    basis, next_basis = (pca_basis(Moments.of(x), "x", 1e-15) for x in batch.activations[:2])
    section = network.sections[0]
    moments = found(section, batch, basis, next_basis, Rule.named("gradient"))
    reached = next_basis.coordinates(batch.activations[1])
    total = moments.effect.sum(0) * f.shape[1]
    assert not torch.allclose(total, reached.sum(1).mean(0), rtol=1e-2)
