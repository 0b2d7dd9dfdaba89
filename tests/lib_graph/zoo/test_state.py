"""In-place operations and state: what a module changes as it runs."""

import pytest
import torch
from torch import nn

from tests.lib_graph.zoo import CHAIN, Two, Zoo, numbers, with_statistics

ZOO = Zoo()


class Inplace(Two):
    def __init__(self):
        super().__init__()
        self.act = nn.ReLU(inplace=True)

    def between(self, x):
        x = self.act(x).clone()
        x *= 1.5
        x[:, 0] = x[:, 1].clone().square()
        x[:, 3:].add_(x[:, 1:3].clone().tanh())
        return x


@ZOO.takes(numbers(7, 4), {"a": "first:in", "b": "first:out", "c": "last:in", "out": "output"})
def in_place():
    return Inplace()


class FromTheEnd(Two):
    """A table of states is filled from its front and its end, as in xLSTM."""

    def between(self, x):
        states = torch.zeros(len(x), 5)
        states[:, :3] = x[:, :3]
        states[:, -2:] = x[:, 2:4].sin()
        states[:, -5:-4] *= x[:, -1:]
        return states


@ZOO.takes(numbers(7, 4), CHAIN)
def written_from_the_end():
    return FromTheEnd()


class Preactivated(nn.Module):
    """The shortcut sees what the ReLU in place does to its input."""

    def __init__(self):
        super().__init__()
        self.act, self.first, self.last = nn.ReLU(inplace=True), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        x = x + 0.1
        y = self.first(self.act(x))
        return self.last(y.tanh() + x)


@ZOO.takes(numbers(7, 4), {"a": "act:in", "b": "last:in", "out": "output"}, overwritten=True)
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


@ZOO.takes(numbers(5, 1, 6, 6), {"a": "layer1:in", "b": "layer2:in", "c": "fc:in", "out": "output"})
def resnet():
    return with_statistics(ResNet())


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


@ZOO.takes(numbers(7, 4), CHAIN)
def state():
    return Counting()


@pytest.mark.parametrize("name", ZOO.names("state"))
def test_every_number_of_the_run_is_right(name, tmp_path):
    ZOO.check(name, tmp_path)
