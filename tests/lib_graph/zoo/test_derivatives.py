"""What a module says of its derivative itself, and in what precision."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from tests.lib_graph.zoo import CHAIN, Two, Zoo, filled, numbers

ZOO = Zoo()


class Sign(torch.autograd.Function):
    """A straight-through estimator."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sign()

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        gradient = gradient.clone()
        gradient[x.abs() > 1.5] = 0
        return gradient


class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.scale = scale
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return -ctx.scale * gradient, None


class Square(torch.autograd.Function):
    """Its backward is the derivative of its forward."""

    @staticmethod
    def forward(x, weight):
        return x.square() @ weight

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        return 2 * x * (gradient @ weight.T), x.square().T @ gradient


class Estimated(Two):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(5, 5))

    def between(self, x):
        return Reversed.apply(Square.apply(torch.tanh(x) + Sign.apply(x), self.weight), 0.5)


@ZOO.takes(numbers(7, 4), CHAIN)
def own_derivatives():
    return Estimated()


class Detached(Two):
    """Derivatives stop in every way that Python knows."""

    def between(self, x):
        rounded = x + (x.round() - x).detach()
        with torch.no_grad():
            gate = torch.sigmoid(x) * x.mean(1, keepdim=True)
        return rounded * gate + x.data * 0.1 + x.clone().detach_()


@ZOO.takes(numbers(7, 4), CHAIN)
def detached():
    return Detached()


class Checkpointed(Two):
    """Kept small in training: torch's reentrant checkpoints run where there are no derivatives."""

    def __init__(self, reentrant=True):
        super().__init__()
        self.reentrant = reentrant

    def between(self, x):
        return x + checkpoint(torch.tanh, 3 * x, use_reentrant=self.reentrant)


def plainly_checkpointed():
    return filled(Checkpointed(reentrant=False)).eval()


@ZOO.takes(numbers(7, 4), CHAIN, exact=plainly_checkpointed)
def checkpointed():
    return Checkpointed()


class Float32Inside(Two):
    """float32 by every name, as norms and softmaxes have it."""

    def __init__(self, dtype=torch.float32):
        super().__init__()
        self.dtype, self.scale = dtype, torch.linspace(1, 2, 5)
        self.table = [torch.linspace(0, 1, 5)]

    def between(self, x):
        y = x.float() if self.dtype == torch.float32 else x
        y = y.to(self.dtype) + torch.zeros(5, dtype=self.dtype) + torch.full((5,), 0.5)
        y = torch.softmax(y, -1, dtype=self.dtype) * self.scale + self.table[0]
        return y.to(x.dtype) + torch.ones(len(x), 5).type_as(x) * torch.arange(5.0)


def float64_inside():
    return filled(Float32Inside(torch.float64)).eval()


@ZOO.takes(numbers(7, 4), CHAIN, exact=float64_inside)
def float32_inside():
    return Float32Inside()


class Eager(Two):
    """Branches that depend on values: recorded, with tied weights and float32 inside."""

    def __init__(self, dtype=torch.float32):
        super().__init__(4, 4, 4)
        self.dtype = dtype
        self.register_buffer("count", torch.zeros(()))
        self.last.weight = self.first.weight

    def between(self, x):
        self.count += 1
        y = torch.tanh(x.to(self.dtype)).to(x.dtype) if float(x.sum()) > -1e9 else -x
        y = torch.relu_(y.clone())
        return Sign.apply(y) + y + (y.round() - y).detach()


def eager64():
    return filled(Eager(torch.float64)).eval()


@ZOO.takes(numbers(7, 4), CHAIN, exact=eager64)
def recorded():
    return Eager()


@pytest.mark.parametrize("name", ZOO.names())
def test_every_number_of_the_run_is_right(name, tmp_path):
    ZOO.check(name, tmp_path)
