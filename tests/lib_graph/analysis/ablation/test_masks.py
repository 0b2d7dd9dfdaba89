"""Positions that do not count: a padded batch is its samples one by one."""

from functools import reduce

import pytest
import torch
from torch import Tensor, nn

from lib_graph.cutting.cuts import cut
from lib_graph.kinds import ResidualMLP
from lib_graph.method.interactions import constant_moments, interaction_moments
from lib_graph.method.jacobians import second_moment
from lib_graph.method.moments import InteractionMoments, Moments
from lib_graph.method.network import Batch
from lib_graph.method.rules import Rule
from tests.lib_graph.nets import random_, random_basis

LENGTHS = (3, 1, 4)


class Causal(nn.Module):
    """What a position computes depends on those before it alone, whatever the length."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.up, self.down = nn.Linear(3, 3), nn.Linear(3, 5), nn.Linear(5, 3)
        self.mlp, self.read = nn.Identity(), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = x + torch.tanh(self.mix(x).cumsum(1))
        x = self.mlp(x)
        return self.read(x + self.down(torch.relu(self.up(x))))


class Perceptrons(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
        self.mlp = nn.Linear(4, 3)
        self.read = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.mlp(self.first(x)))


LAYERS = {"x": "mix:in", "mid": "mlp:in", "read": "read:in", "y": "output"}
CASES = {
    "causal": (Causal, LAYERS, False),
    "residual MLP": (Causal, LAYERS, True),
    "linear and perceptron": (Perceptrons, LAYERS | {"x": "first:in"}, False),
}


@pytest.fixture(params=CASES)
def case(request):
    make, layers, declare = CASES[request.param]
    module = random_(make()).requires_grad_(False)
    x = torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    kinds = {}
    if declare:
        up, down = module.up, module.down
        mlp = ResidualMLP(up.weight.T, up.bias, down.weight.T, down.bias, "relu")
        kinds = {("mid", "read"): mlp}
    network = cut(module, (x,), layers, kinds=kinds)
    counted = torch.arange(4) < torch.tensor(LENGTHS)[:, None]
    padded = torch.where(counted[..., None], x, 1e3)
    whole = network.run(padded)
    alone = [network.run(sample[None, :n]) for sample, n in zip(x, LENGTHS, strict=True)]
    return network, Batch(whole.activations, whole.constants, counted), alone


@pytest.mark.slow
@pytest.mark.sampled
def test_means_and_gram_matrices(case):
    network, whole, alone = case
    for layer in network.layers:
        found = Moments.of(whole.activations[layer.index], whole.mask(layer))
        truth = reduce(Moments.merge, [Moments.of(b.activations[layer.index]) for b in alone])
        assert found.count == truth.count == whole.rows(layer) == sum(LENGTHS)
        assert torch.allclose(found.mean, truth.mean, rtol=1e-10)
        assert torch.allclose(found.gram, truth.gram, atol=1e-10 * truth.gram.abs().max())


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("rule", [Rule.named("gradient"), Rule.named("trapezoid", 2)])
def test_second_moments(case, rule):
    network, whole, alone = case
    for section in network.sections:
        rotation = random_basis(section.target.width, 2).rotation
        found = second_moment(section, whole, rotation, rule, 2)
        truth = sum(second_moment(section, batch, rotation, rule, 2) for batch in alone)
        assert (found - truth).norm() < 1e-10 * truth.norm()


@pytest.mark.slow
@pytest.mark.sampled
def test_interactions(case):
    network, whole, alone = case
    for section in network.sections:
        bases = random_basis(section.source.width, 3), random_basis(section.target.width, 2)

        def moments(batch, section=section, bases=bases):
            where = (section, batch, *bases, Rule.named("gradient"))
            return InteractionMoments.stack(
                [constant_moments(*where), interaction_moments(*where, 2)]
            )

        found, truth = moments(whole), reduce(InteractionMoments.merge, map(moments, alone))
        assert found.positions == truth.positions == sum(LENGTHS)
        for name in ("strength", "effect", "stderr"):
            one, other = getattr(found, name), getattr(truth, name)
            assert torch.allclose(one, other, atol=1e-10 * other.abs().max()), name
