"""Ordinary modules, of many families: each builds, and every number of its run is right."""

import dataclasses
from collections import namedtuple

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.lib_graph.zoo import Case, check, filled, numbers

CASES = {}


def case(data, layers, **options):
    """Take a function that makes a module into the zoo."""

    def take(make):
        CASES[make.__name__] = Case(lambda: made(make), data, layers, **options)
        return make

    return take


def made(make):
    torch.manual_seed(0)
    return filled(make())


CHAIN = {"a": "first:in", "b": "last:in", "out": "output"}


class Two(nn.Module):
    """Two linear maps with something between."""

    def __init__(self, d=4, h=5, e=2):
        super().__init__()
        self.first, self.last = nn.Linear(d, h), nn.Linear(h, e)

    def between(self, x):
        return torch.tanh(x)

    def forward(self, x):
        return self.last(self.between(self.first(x)))


# in place


class Inplace(Two):
    def __init__(self):
        super().__init__()
        self.act = nn.ReLU(inplace=True)

    def between(self, x):
        x = self.act(x)
        x *= 1.5
        x[:, 0] = x[:, 1].clone().square()
        x[:, 3:].add_(x[:, 1:3].clone().tanh())
        return x


@case(numbers(7, 4), {"a": "first:in", "b": "first:out", "c": "last:in", "out": "output"})
def in_place():
    return Inplace()


class Preactivated(nn.Module):
    """The shortcut sees what the ReLU in place does to its input."""

    def __init__(self):
        super().__init__()
        self.act, self.first, self.last = nn.ReLU(inplace=True), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        x = x + 0.1
        y = self.first(self.act(x))
        return self.last(y.tanh() + x)


@case(numbers(7, 4), {"a": "act:in", "b": "last:in", "out": "output"}, overwritten=True)
def overwritten_shortcut():
    return Preactivated()


class ResidualBlock(nn.Module):
    def __init__(self, c, e, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c, e, 3, stride, 1, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(e), nn.ReLU(inplace=True)
        self.conv2, self.bn2 = nn.Conv2d(e, e, 3, 1, 1, bias=False), nn.BatchNorm2d(e)
        self.downsample = (
            nn.Sequential(nn.Conv2d(c, e, 1, stride, bias=False), nn.BatchNorm2d(e))
            if c != e else nn.Identity()
        )  # fmt: skip

    def forward(self, x):
        identity = self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(2)
        self.layer1, self.layer2 = ResidualBlock(2, 2, 1), ResidualBlock(2, 3, 2)
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(3, 2)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer2(self.layer1(x))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def with_statistics(module):
    generator = torch.Generator().manual_seed(9)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d):
            part.running_mean.normal_(generator=generator)
            part.running_var.uniform_(0.5, 2, generator=generator)
    return module


@case(numbers(5, 1, 6, 6), {"a": "layer1:in", "b": "layer2:in", "c": "fc:in", "out": "output"})
def resnet():
    return with_statistics(ResNet())


# what comes in and what goes out


class Named(Two):
    def forward(self, *, x, mask=None, scale=1.0, flag=False):
        y = self.between(self.first(x))
        y = y if mask is None else y * mask[:, None]
        return {"loss": None, "logits": self.last(y) * scale, "hidden": y}


@case({"x": numbers(7, 4), "mask": torch.tensor([1, 1, 0, 1, 1, 1, 1]), "scale": 2.0}, CHAIN)
def dict_in_dict_out():
    return Named()


Pair = namedtuple("Pair", ["nothing", "value"])


@dataclasses.dataclass
class Batch:
    x: torch.Tensor
    kind: str = "mean"


class Structured(Two):
    def forward(self, batch, *rest, **named):
        y = self.between(self.first(batch.x + rest[0][0]))
        return Pair(None, self.last(y + named.get("bias", 0)))


@case((Batch(numbers(7, 4)), [numbers(7, 4, seed=2)]), CHAIN)
def dataclass_in_named_tuple_out():
    return Structured()


class Wrapped(nn.Module):
    """What adapters and wrappers do: arguments are handed on."""

    def __init__(self):
        super().__init__()
        self.inner = Two()

    def forward(self, *args, **kwargs):
        return (None, self.inner(*args, **kwargs))


@case((numbers(7, 4),), {"a": "inner.first:in", "b": "inner.last:in", "out": "output"})
def arguments_handed_on():
    return Wrapped()


class InnerDict(Two):
    """A part that is called with a dict, and returns one."""

    class Part(nn.Linear):
        def forward(self, values):
            return {"y": torch.tanh(super().forward(values["x"])), "n": 3}

    def __init__(self):
        super().__init__()
        self.part = self.Part(5, 5)

    def between(self, x):
        return self.part({"n": 1, "x": x})["y"]


@case(numbers(7, 4), {"a": "first:in", "b": "part:in", "c": "part:out", "out": "output"})
def dicts_between_parts():
    return InnerDict()


# state


class Counting(Two):
    """It counts its calls, keeps an average, and normalises its input in place."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("average", torch.zeros(5))
        self.last_seen = None

    def forward(self, x):
        x -= 0.5
        self.calls += 1
        self.last_seen = x
        y = self.first(x) + self.average
        self.average.mul_(0.9).add_(y.mean(0), alpha=0.1)
        return self.last(torch.tanh(y))


@case(numbers(7, 4), CHAIN)
def state():
    return Counting()


# constants made from sizes


class SizesOnly(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 5), nn.Linear(10, 2)
        self.around = nn.Identity()

    def forward(self, x):
        zeros = torch.zeros(x.size(0), 5) + x.new_ones(len(x), 5) + torch.zeros_like(x[:, :1])
        return self.last(torch.cat([torch.tanh(self.first(x)), zeros], 1))


@case(numbers(7, 4), {"a": "first:in", "b": "first:out", "out": "output"})
def zeros_concatenated():
    return SizesOnly()


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)
        self.rnn = kind(4, 4, batch_first=True, num_layers=2)

    def forward(self, x):
        return self.last(self.rnn(self.first(x))[0])


SEQUENCE = {"a": "first:in", "b": "rnn:in", "c": "last:in", "out": "output"}


@case(numbers(6, 3, 3), SEQUENCE)
def lstm():
    return Recurrent(nn.LSTM)


@case(numbers(6, 3, 3), SEQUENCE)
def gru():
    return Recurrent(nn.GRU)


class Cells(nn.Module):
    """A recurrent network by hand: one cell, used at every position."""

    def __init__(self):
        super().__init__()
        self.cell, self.last = nn.LSTMCell(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        state, out = (x.new_zeros(len(x), 4), torch.zeros(len(x), 4)), []
        for i in range(x.shape[1]):
            state = self.cell(x[:, i], state)
            out.append(state[0])
        return self.last(torch.stack(out, 1))


@case(numbers(6, 2, 3), {"a": "cell#1:in", "b": "last:in", "out": "output"})
def lstm_cells():
    return nn.Sequential()


del CASES["lstm_cells"]  # the second position bypasses the first: it is in the partial cases below


class Positions(nn.Module):
    """Attention with positions from sizes, ALiBi, and a table of relative positions (T5)."""

    def __init__(self):
        super().__init__()
        self.word_embedding, self.positions = nn.Embedding(9, 4), nn.Embedding(8, 4)
        self.relative, self.qkv = nn.Embedding(5, 1), nn.Linear(4, 12)
        self.norm, self.out, self.head = nn.LayerNorm(4), nn.Linear(4, 4), nn.Linear(4, 3)
        self.around = nn.Identity()

    def forward(self, tokens):
        n = tokens.shape[1]
        x = self.word_embedding(tokens) + self.positions(torch.arange(n))
        x = self.around(x)
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        distance = torch.arange(n)[:, None] - torch.arange(n)[None]
        bias = self.relative(distance.clamp(-2, 2) + 2)[..., 0] - 0.1 * distance.abs()
        weights = (q @ k.mT / 2 + bias).masked_fill(distance < 0, float("-inf")).softmax(-1)
        return self.head(x + self.out(weights @ v))


TOKENS = torch.randint(0, 9, (7, 3), generator=torch.Generator().manual_seed(3))


@case(TOKENS, {"a": "around:in", "b": "head:in", "out": "output"})
def positions_from_sizes():
    return Positions()


class OneHot(nn.Module):
    """Tokens that meet weights without a look-up by name."""

    def __init__(self):
        super().__init__()
        self.embedding_table = nn.Parameter(torch.zeros(9, 4))
        self.other, self.last = nn.Linear(9, 4, bias=False), nn.Linear(4, 2)

    def forward(self, tokens):
        ones = functional.one_hot(tokens, 9).to(self.embedding_table.dtype)
        return self.last(torch.tanh(self.embedding_table[tokens] + self.other(ones)))


@case(TOKENS, {"a": "last:in", "out": "output"})
def one_hot():
    return OneHot()


class StateSpace(nn.Module):
    """A diagonal state space with complex parameters (S4D), its kernel made from the length."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)
        self.rate = nn.Parameter(torch.zeros(4, 2, dtype=torch.complex64))
        self.mix = nn.Parameter(torch.zeros(4, 2, dtype=torch.complex64))

    def forward(self, x):
        y = self.first(x).mT
        n = y.shape[-1]
        steps = torch.arange(n, device=x.device)
        decay = -torch.exp(self.rate.real) + 1j * self.rate.imag
        kernel = 2 * torch.einsum("hk,hkn->hn", self.mix, torch.exp(decay[..., None] * steps)).real
        spectrum = torch.fft.rfft(y, 2 * n) * torch.fft.rfft(kernel, 2 * n)
        return self.last(torch.fft.irfft(spectrum, 2 * n)[..., :n].mT)


@case(numbers(6, 3, 3), {"a": "first:in", "b": "last:in", "out": "output"})
def state_space():
    return StateSpace()


class Fourier(Two):
    """A layer with complex weights in Fourier space, and a complex buffer."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, dtype=torch.complex64))
        self.register_buffer("phase", torch.tensor([1j, 1 + 1j, 2.0]))

    def between(self, x):
        return torch.tanh(torch.fft.irfft(torch.fft.rfft(x) * self.weight * self.phase, 5))


@case(numbers(7, 4), CHAIN)
def fourier():
    return Fourier()


# what a derivative is


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


@case(numbers(7, 4), CHAIN)
def own_derivatives():
    return Estimated()


class Detached(Two):
    """Derivatives stop in every way that Python knows."""

    def between(self, x):
        rounded = x + (x.round() - x).detach()
        with torch.no_grad():
            gate = torch.sigmoid(x) * x.mean(1, keepdim=True)
        return rounded * gate + x.data * 0.1 + x.clone().detach_()


@case(numbers(7, 4), CHAIN)
def detached():
    return Detached()


# precisions


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


@case(numbers(7, 4), CHAIN, exact=float64_inside)
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


@case(numbers(7, 4), CHAIN, exact=eager64)
def recorded():
    return Eager()


# weights


@case(numbers(7, 4), {"a": "0:in", "b": "2:in", "out": "output"})
def new_weight_norm():
    norm = nn.utils.parametrizations.weight_norm
    return nn.Sequential(norm(nn.Linear(4, 5)), nn.Tanh(), norm(nn.Linear(5, 2)))


@case(numbers(7, 4), {"a": "0:in", "b": "2:in", "out": "output"})
def spectral_norm():
    return nn.Sequential(
        nn.utils.parametrizations.spectral_norm(nn.Linear(4, 5)), nn.Tanh(), nn.Linear(5, 2)
    )


class LoRA(nn.Module):
    def __init__(self, base):
        super().__init__()
        self.base_layer = base
        self.lora_A = nn.ModuleDict({"default": nn.Linear(base.in_features, 1, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(1, base.out_features, bias=False)})
        self.scaling = {"default": 2.0}

    def forward(self, x, *args, **kwargs):
        result = self.base_layer(x, *args, **kwargs)
        return result + self.lora_B["default"](self.lora_A["default"](x)) * self.scaling["default"]


@case(numbers(7, 4), {"a": "0:in", "b": "2:in", "out": "output"})
def lora():
    return nn.Sequential(LoRA(nn.Linear(4, 5)), nn.GELU(), LoRA(nn.Linear(5, 2)))


class Shared(nn.Module):
    """One block, used three times, under two names."""

    def __init__(self):
        super().__init__()
        self.first, self.block, self.last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        self.again = self.block

    def forward(self, x):
        x = self.first(x)
        for block in (self.block, self.again, self.block):
            x = torch.tanh(block(x))
        return self.last(x)


@case(numbers(7, 4), {"a": "block#1:in", "b": "again#2:in", "c": "again#3:in", "out": "output"})
def shared_block():
    return Shared()


# families


@case(numbers(6, 3, 4), {"a": "layers.0:in", "b": "layers.1:in", "out": "output"})
def transformer_encoder():
    layer = nn.TransformerEncoderLayer(4, 2, 5, 0.1, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


class ConvNeXt(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.conv = nn.Conv2d(1, 3, 2, 2), nn.Conv2d(3, 3, 3, padding=1, groups=3)
        self.norm, self.up, self.down = nn.LayerNorm(3), nn.Linear(3, 6), nn.Linear(6, 3)
        self.gamma, self.head = nn.Parameter(torch.zeros(3)), nn.Linear(3, 2)

    def forward(self, x):
        x = self.stem(x)
        y = self.conv(x).permute(0, 2, 3, 1)
        y = self.gamma * self.down(functional.gelu(self.up(self.norm(y))))
        return self.head((x + y.permute(0, 3, 1, 2)).mean((2, 3)))


@case(numbers(6, 1, 4, 4), {"a": "conv:in|stem:out", "b": "head:in", "out": "output"})
def convnext():
    return ConvNeXt()


class Graph(nn.Module):
    """Messages along the edges of a graph, which is part of the data."""

    def __init__(self):
        super().__init__()
        self.first, self.message, self.last = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, nodes, adjacency):
        x = self.first(nodes)
        degree = adjacency.sum(-1, keepdim=True).clamp_min(1)
        x = torch.relu(x + adjacency @ self.message(x) / degree)
        return self.last(x)


ADJACENCY = (numbers(7, 3, 3, seed=4) > 0).long()


class IntegerGraph(Graph):
    def forward(self, nodes, adjacency):
        return super().forward(nodes, adjacency.to(nodes.dtype))


@case((numbers(7, 3, 3), ADJACENCY), {"a": "first:in", "b": "last:in", "out": "output"})
def graph_network():
    return IntegerGraph()


class Mixture(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.last = nn.Linear(4, 3), nn.Linear(4, 2)
        self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x):
        weights, chosen = self.gate(x).softmax(-1).topk(2)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            rows, place = torch.where(chosen == i)
            out.index_add_(0, rows, weights[rows, place, None] * torch.tanh(expert(x[rows])))
        return self.last(out)


@case(numbers(8, 4), {"a": "gate:in|experts.0:none", "b": "last:in", "out": "output"})
def mixture_of_experts():
    return Mixture()


del CASES["mixture_of_experts"]

FAST = set()


@pytest.mark.parametrize(
    "name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in CASES]
)
def test_every_number_of_its_run_is_right(name, tmp_path):
    check(CASES[name], tmp_path)
