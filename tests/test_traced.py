"""What the tests share of tracing: no module may come out of the graph of another."""

import pytest
import torch
from torch import nn

from lib_graph.cutting.cuts import cut
from tests import traced
from tests.lib_graph.nets import random_
from tests.traced import traced_once

__all__ = ["traced_once"]

LAYERS = {"a": "0:in", "b": "1:in", "out": "output"}
X = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def module(seed=0, average=0.0, width=4):
    made = random_(nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Tanh()), seed)
    made[1].running_mean.fill_(average)
    return made


def same(one, x=X, layers=LAYERS):
    """Cut a module, and hold the chain against it."""
    found = cut(one, (x,), layers).run(x).activations[-1]
    assert torch.allclose(found[:, 0], one(x))


@pytest.mark.slow
def test_only_the_numbers_of_the_parameters_may_differ(monkeypatch):
    count = []

    def counting(*arguments, whole=traced.trace):
        count.append(arguments)
        return whole(*arguments)

    monkeypatch.setattr(traced, "trace", counting)
    monkeypatch.setattr(traced, "_graphs", {})
    same(module())
    same(module(seed=1))
    assert len(count) == 1
    others = [
        lambda: same(module(average=0.5)),
        lambda: same(module(width=5)),
        lambda: same(module(), x=X[:4]),
        lambda: same(module(), layers={"a": "0:in", "b": "2:in", "out": "output"}),
        lambda: same(module().append(nn.Tanh())),
    ]
    for number, other in enumerate(others, 2):
        other()
        assert len(count) == number


@pytest.mark.slow
def test_a_class_that_only_a_test_knows_is_traced_each_time(monkeypatch):
    class Local(nn.Sequential):
        pass

    monkeypatch.setattr(traced, "_graphs", {})
    for _ in range(2):
        same(random_(Local(nn.Linear(3, 4), nn.Tanh())))
    assert not traced._graphs
