"""What is made from sizes alone is no activation."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import lib_graph
from tests.lib_graph.zoo import CHAIN, Two, Zoo, numbers

ZOO = Zoo()


class SizesOnly(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 5), nn.Linear(10, 2)
        self.around = nn.Identity()

    def forward(self, x):
        zeros = torch.zeros(x.size(0), 5) + x.new_ones(x.shape[0], 5) + torch.zeros_like(x[:, :1])
        return self.last(torch.cat([torch.tanh(self.first(x)), zeros], 1))


@ZOO.takes(numbers(7, 4), {"a": "first:in", "b": "first:out", "out": "output"})
def zeros_concatenated():
    return SizesOnly()


class Lengths(SizesOnly):
    """The number of samples as a number, which a trace would take for a constant."""

    def forward(self, x):
        return self.last(torch.cat([torch.tanh(self.first(x)), torch.zeros(len(x), 5)], 1))


@ZOO.takes(numbers(7, 4), {"a": "first:in", "b": "first:out", "out": "output"})
def zeros_by_len():
    return Lengths()


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)
        self.rnn = kind(4, 4, batch_first=True, num_layers=2)

    def forward(self, x):
        return self.last(self.rnn(self.first(x))[0])


SEQUENCE = {"a": "first:in", "b": "rnn:in", "c": "last:in", "out": "output"}


@ZOO.takes(numbers(6, 3, 3), SEQUENCE)
def lstm():
    return Recurrent(nn.LSTM)


@ZOO.takes(numbers(6, 3, 3), SEQUENCE)
def gru():
    return Recurrent(nn.GRU)


class Cells(nn.Module):
    """A recurrent network by hand: one cell, used at every position."""

    def __init__(self):
        super().__init__()
        self.cell, self.last = nn.LSTMCell(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        state, out = (x.new_zeros(x.shape[0], 4), torch.zeros(x.shape[0], 4)), []
        for i in range(x.shape[1]):
            state = self.cell(x[:, i], state)
            out.append(state[0])
        return self.last(torch.stack(out, 1))


@ZOO.takes(
    numbers(6, 2, 3),
    {"a": "cell#1:in", "b": "last:in", "out": "output"},
    options=lib_graph.Options(partial=True),
    held={"a": "cell#2:in"},
)
def cells_of_one_position():
    return Cells()


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


@ZOO.takes(TOKENS, {"a": "around:in", "b": "head:in", "out": "output"})
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


@ZOO.takes(TOKENS, {"a": "last:in", "out": "output"})
def one_hot():
    return OneHot()


class Bytes(Two):
    """Pixels as whole numbers, which become numbers in `forward`."""

    def forward(self, x):
        return super().forward(x.to(self.first.weight.dtype) / 255)


PIXELS = torch.randint(0, 256, (7, 4), generator=torch.Generator().manual_seed(3))


@ZOO.takes(PIXELS.to(torch.uint8), CHAIN)
def pixels_as_bytes():
    return Bytes()


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


@ZOO.takes(numbers(6, 3, 3), {"a": "first:in", "b": "last:in", "out": "output"})
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


@ZOO.takes(numbers(7, 4), CHAIN)
def fourier():
    return Fourier()


@pytest.mark.parametrize("name", ZOO.names("one_hot"))
def test_every_number_of_the_run_is_right(name, tmp_path):
    ZOO.check(name, tmp_path)


@pytest.mark.parametrize("name", ["zeros_concatenated", "lstm"])
@pytest.mark.slow
def test_constants_cross_no_layer(name, tmp_path):
    case = ZOO.cases[name]
    run = lib_graph.build(case.make(), tmp_path, data=case.data, layers=case.named)
    expected = {"zeros_concatenated": [4, 5, 2], "lstm": [3, 4, 4, 2]}
    assert [layer.width for layer in run.layers] == expected[name]
