"""Networks of many shapes: the chain of sections is the module, and so is its derivative."""

import pytest
import torch
from torch import nn

from lib_graph.cutting.cuts import cut
from lib_graph.cutting.points import shapes
from lib_graph.errors import ModelError
from lib_graph.method.jacobians import second_moment
from lib_graph.method.rules import Rule
from tests.lib_graph.nets import jacobian_of, random_, random_basis


class Unet(nn.Module):
    """A skip over two other layers, joined by concatenation."""

    def __init__(self):
        super().__init__()
        self.down, self.middle = nn.Linear(4, 3), nn.Linear(3, 3)
        self.up, self.out = nn.Linear(3, 4), nn.Linear(8, 2)

    def forward(self, x):
        inner = self.up(torch.tanh(self.middle(torch.tanh(self.down(x)))))
        return self.out(torch.cat([x, inner], -1))


class Twice(nn.Module):
    """The same submodule runs twice."""

    def __init__(self):
        super().__init__()
        self.shared, self.last = nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x):
        return self.last(torch.tanh(self.shared(torch.tanh(self.shared(x)))))


class Branches(nn.Module):
    """Two inputs, two branches, a product."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.out = nn.Linear(3, 4), nn.Linear(2, 4), nn.Linear(4, 2)

    def forward(self, x, y):
        return self.out(torch.relu(self.left(x)) * torch.sigmoid(self.right(y)))


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.out = nn.Linear(4, 2)

    def forward(self, x):
        n = self.norm(x)
        return self.out(x + self.attention(n, n, n, need_weights=False)[0])


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.second = nn.Conv2d(3, 2, 3, padding=1)

    def forward(self, x):
        return x + self.second(torch.relu(self.norm(self.first(x))))


def images():
    return nn.Sequential(
        Residual(), nn.Conv2d(2, 3, 2), nn.Tanh(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(3, 2)
    )


def dropout():
    return nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.GELU(), nn.Linear(4, 2))


# module, shapes of its arguments, layers
CASES = {
    "U-net": (Unet, [(4,)], ["down:in", "middle:in", "up:in", "out:in", "output"]),
    "a module twice": (Twice, [(3,)], ["shared:in", "last:in", "output"]),
    "branches": (Branches, [(3,), (2,)], ["left:in", "out:in", "output"]),
    "attention": (Attending, [(3, 4)], ["norm:in", "attention:in", "out:in", "output"]),
    "convolutions": (
        images,
        [(2, 3, 3)],
        ["0:in", "0.second:in", "1:in", "3:in", "5:in", "output"],
    ),
    "dropout": (dropout, [(3,)], ["0:in", "1:in", "3:in", "output"]),
}


@pytest.fixture(params=CASES)
def case(request):
    make, arguments, layers = CASES[request.param]
    module = random_(make())
    generator = torch.Generator().manual_seed(5)
    inputs = tuple(
        torch.randn(4, *shape, generator=generator, dtype=torch.float64) for shape in arguments
    )
    return module, inputs, cut(module, inputs, {point: point for point in layers})


@pytest.mark.slow
@pytest.mark.sampled
def test_the_chain_gives_the_modules_result(case):
    module, inputs, network = case
    more = tuple(torch.cat([x, 2 * x]) for x in inputs)
    batch = network.run(*more)
    (found,) = network.layers[-1].unpack(batch.activations[-1])
    assert torch.allclose(found, module(*more), atol=1e-12)
    for layer, f in zip(network.layers, batch.activations, strict=True):
        assert f.shape == (8, layer.positions, layer.width)


@pytest.mark.slow
@pytest.mark.sampled
def test_the_chains_derivative_is_the_modules(case):
    """Nothing reaches the result but through the first layer."""
    module, inputs, network = case
    free = tuple(x.clone().requires_grad_() for x in inputs)
    truth = torch.autograd.grad(module(*free).square().sum(), free)
    tensors, constants = network.head(*free)
    f = network.layers[0].pack(tensors)
    for section in network.sections:
        f = section(f, constants)
    found = torch.autograd.grad(f.square().sum(), free)
    for one, other in zip(found, truth, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.sampled
def test_the_second_moment_of_every_section(case):
    _, inputs, network = case
    rule = Rule.named("gradient")
    batch = network.run(*inputs)
    for section in network.sections:
        rotation = random_basis(section.target.width, 2).rotation
        f = batch.activations[section.source.index]
        found = second_moment(section, batch, rotation, rule, 4)

        def along(z, alpha, section=section, rest=f):
            return section(torch.cat([z, rest[1:]]), batch.constants)

        truth = 0
        for i in range(len(f)):
            rest = torch.cat([f[i:], f[:i]])
            J = jacobian_of(lambda z, a, r=rest, s=section: along(z, a, s, r), rest[0], rule)
            truth = truth + torch.einsum("tisa,ir,jr,tjsb->ab", J, rotation, rotation, J)
        assert (found - truth).norm() <= 1e-11 * truth.norm()


@pytest.mark.slow
def test_tensors_with_other_numbers_of_positions_cannot_cross_together():
    class Pooling(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x):
            return self.b(torch.tanh(self.a(x)).mean(1)) + x.cumsum(1)[:, -1].square()

    module = random_(Pooling())
    x = torch.randn(2, 4, 3, dtype=torch.float64)
    with pytest.raises(ModelError, match="positions"):
        cut(module, (x,), {"x": "a:in", "pooled": "a:out", "y": "output"})


def test_points_without_numbers_are_not_listed():
    embedding = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 2))
    found = shapes(embedding, (torch.tensor([[1, 2], [3, 4]]),))
    assert found == {"0:out": (2, 3), "1:in": (2, 3), "1:out": (2, 2), "output": (2, 2)}
    with pytest.raises(ModelError, match=r"Sequential cannot run on the data \("):
        shapes(embedding, (torch.tensor([[1, 2], [3, 5]]),))
