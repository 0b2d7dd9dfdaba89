"""Families of networks."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import lib_graph
from tests.lib_graph.zoo import CHAIN, Case, Zoo, check, filled, numbers, with_statistics

ZOO = Zoo()


@ZOO.takes(numbers(6, 3, 4), {"a": "layers.0:in", "b": "layers.1:in", "out": "output"})
def transformer_encoder():
    layer = nn.TransformerEncoderLayer(4, 2, 5, 0.1, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


class Padded(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(4, 2, 5, 0.1, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.last = nn.Linear(4, 2)

    def forward(self, x, padding):
        return self.last(self.encoder(x, src_key_padding_mask=padding))


PADDING = torch.tensor([[False, False, False], [False, False, True]] * 3)


@ZOO.takes((numbers(6, 3, 4), PADDING), {"a": "encoder:in", "b": "last:in", "out": "output"})
def padded_encoder_in_train_mode():
    return Padded().train()


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


@ZOO.takes(numbers(6, 1, 4, 4), {"a": "conv:in|stem:out", "b": "head:in", "out": "output"})
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


@ZOO.takes((numbers(7, 3, 3), ADJACENCY), {"a": "first:in", "b": "last:in", "out": "output"})
def graph_network():
    return IntegerGraph()


class Mixture(nn.Module):
    """Rows go to their experts by indices, and are added back in place."""

    def __init__(self):
        super().__init__()
        self.first, self.gate, self.last = nn.Linear(4, 4), nn.Linear(4, 3), nn.Linear(4, 2)
        self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x):
        x = self.first(x)
        weights, chosen = self.gate(x).softmax(-1).topk(2)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            rows, place = torch.where(chosen == i)
            out.index_add_(0, rows, weights[rows, place, None] * torch.tanh(expert(x[rows])))
        return self.last(out)


@ZOO.takes(numbers(8, 4), CHAIN)
def mixture_of_experts():
    return Mixture()


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 3, 3, padding=1)
        self.up1, self.out = nn.ConvTranspose2d(3, 2, 2, 2), nn.Conv2d(4, 1, 1)
        self.skip = nn.Identity()

    def forward(self, x):
        x = torch.relu(self.down1(x))
        y = torch.tanh(self.down2(functional.avg_pool2d(x, 2)))
        return self.out(torch.cat([self.skip(x), self.up1(y)], 1))


@ZOO.takes(
    numbers(5, 1, 4, 4),
    {"a": "down1:in", "b": "down2:in", "c": "up1:in", "out": "output"},
    options=lib_graph.Options(partial=True),
    held={"b": "skip:in", "c": "skip:in"},
)
def unet_in_part():
    return UNet()


class Dense(nn.Module):
    """All that was before goes along, normalised over the batch's statistics."""

    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList(nn.Linear(4 + 2 * i, 2) for i in range(3))
        self.norms = nn.ModuleList(nn.BatchNorm1d(4 + 2 * i) for i in range(3))
        self.at = nn.ModuleList(nn.Identity() for i in range(3))
        self.last = nn.Linear(10, 2)

    def forward(self, x):
        for at, norm, part in zip(self.at, self.norms, self.parts, strict=True):
            x = at(x)
            x = torch.cat([x, part(functional.relu(norm(x), inplace=True))], 1)
        return self.last(x)


@ZOO.takes(numbers(7, 4), {"a": "at.0:in", "b": "at.2:in", "c": "last:in", "out": "output"})
def dense_net():
    return with_statistics(Dense())


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.tokens, self.channels = nn.Linear(3, 4), nn.Linear(3, 3), nn.Linear(4, 4)
        self.norm, self.last = nn.LayerNorm(4, bias=False), nn.Linear(4, 2)

    def forward(self, x):
        x = self.first(x)
        x = x + functional.silu(self.tokens(self.norm(x).mT)).mT
        return self.last(x + functional.gelu(self.channels(x), approximate="tanh"))


@ZOO.takes(numbers(6, 3, 3), CHAIN)
def mixer():
    return Mixer()


class Excited(nn.Module):
    """Channels are weighed by what is in them (squeeze and excitation)."""

    def __init__(self):
        super().__init__()
        self.conv, self.squeeze, self.excite = nn.Conv1d(2, 3, 2), nn.Linear(3, 1), nn.Linear(1, 3)
        self.norm, self.last = nn.GroupNorm(1, 3), nn.Linear(3, 2)

    def forward(self, x):
        x = functional.glu(torch.cat([self.norm(self.conv(x.mT))] * 2, 1), 1).mT
        gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean(1)))))
        return self.last(x * gate[:, None])


@ZOO.takes(numbers(6, 3, 2), {"a": "norm:out", "b": "last:in", "out": "output"})
def squeeze_and_excite():
    return Excited()


class Memory(nn.Module):
    """Each input is compared with prototypes, by distance."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 3), nn.Linear(5, 2)
        self.prototypes = nn.Parameter(torch.zeros(5, 3))

    def forward(self, x):
        return self.last(torch.exp(-torch.cdist(self.first(x), self.prototypes)))


@ZOO.takes(numbers(7, 4), CHAIN)
def prototypes():
    return Memory()


class Hyper(nn.Module):
    """One input makes the weights for the other."""

    def __init__(self):
        super().__init__()
        self.first, self.maker, self.last = nn.Linear(4, 3), nn.Linear(3, 9), nn.Linear(3, 2)
        self.at = nn.Identity()

    def forward(self, x):
        x = self.at(torch.tanh(self.first(x)))
        weights = self.maker(x).unflatten(1, (3, 3))
        return self.last(torch.einsum("ni,nij->nj", x, weights))


@ZOO.takes(numbers(7, 4), {"a": "first:in", "b": "at:in", "c": "last:in", "out": "output"})
def hyper_network():
    return Hyper()


class Spectral(nn.Module):
    """A Fourier neural operator on images."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 2, 1), nn.Conv2d(2, 1, 1)
        self.weight = nn.Parameter(torch.zeros(2, 2, 2, 2, dtype=torch.complex64))

    def forward(self, x):
        x = self.first(x)
        modes = torch.fft.rfft2(x)
        out = torch.zeros_like(modes)
        out[:, :, :2, :2] = torch.einsum("nixy,ioxy->noxy", modes[:, :, :2, :2], self.weight)
        return self.last(functional.gelu(torch.fft.irfft2(out, s=x.shape[-2:]) + x))


@ZOO.takes(numbers(5, 1, 4, 4), CHAIN)
def fourier_operator():
    return Spectral()


class Sets(nn.Module):
    """What is pooled over a set, by its weights and by its largest."""

    def __init__(self):
        super().__init__()
        self.first, self.score, self.last = nn.Linear(3, 4), nn.Linear(4, 1), nn.Linear(8, 2)

    def forward(self, x):
        x = functional.elu(self.first(x))
        weights = self.score(x).softmax(1)
        return self.last(torch.cat([(weights * x).sum(1), x.amax(1)], -1))


@ZOO.takes(numbers(6, 3, 3), CHAIN)
def pooled_sets():
    return Sets()


class Beside(nn.Module):
    """A text's stream, with what goes around a block in axes that lie otherwise."""

    def __init__(self, axes, *, tapped=False):
        super().__init__()
        self.axes, self.tapped = axes, tapped
        self.first, self.middle, self.last = nn.Linear(3, 6), nn.Linear(6, 6), nn.Linear(6, 2)
        self.apart, self.joined = (nn.Parameter(torch.zeros(2, 6, 2)) for _ in range(2))
        self.at, self.parts = nn.Identity(), nn.Identity()

    def forward(self, x):
        x = self.first(x)
        parts = torch.sin(torch.einsum(f"nsd,pde->{self.axes}", x, self.apart))
        if self.tapped:  # for the oracle
            parts = self.parts(torch.einsum(f"{self.axes}->nspe", parts).flatten(2))
            parts = torch.einsum(f"nspe->{self.axes}", parts.unflatten(2, (2, 2)))
        x = self.at(torch.tanh(self.middle(x)))
        return self.last(x + torch.einsum(f"{self.axes},pde->nsd", parts, self.joined))


@pytest.mark.slow
@pytest.mark.parametrize("axes", ["nspe", "pnse", "npse", "npes", "psne"])
def test_what_goes_around_a_block_in_other_axes(axes, tmp_path):
    layers = {"a": "first:in", "b": ("at:in", "parts:out"), "out": "output"}

    case = Case(
        lambda: filled(Beside(axes)), numbers(7, 3, 3), layers,
        exact=lambda: filled(Beside(axes, tapped=True)),
    )  # fmt: skip
    run = check(case, tmp_path)
    assert [layer.width for layer in run.manifest.layers] == [3, 6 + 4, 2]


@ZOO.takes(numbers(6, 3, 3), {"a": "0:in", "b": "2:in", "out": "output"})
def leaky():
    return nn.Sequential(nn.Linear(3, 4), nn.PReLU(), nn.Linear(4, 2))


@pytest.mark.parametrize("name", ZOO.names("leaky"))
def test_every_number_of_the_run_is_right(name, tmp_path):
    ZOO.check(name, tmp_path)
