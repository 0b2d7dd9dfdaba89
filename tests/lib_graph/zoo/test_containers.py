"""Arguments and results that are dicts, dataclasses and tuples."""

import dataclasses
from collections import namedtuple

import pytest
import torch
from torch import nn

from tests.lib_graph.zoo import CHAIN, Two, Zoo, numbers

ZOO = Zoo()


class Named(Two):
    def forward(self, *, x, mask=None, scale=1.0, flag=False):
        y = self.between(self.first(x))
        y = y if mask is None else y * mask[:, None]
        return {"loss": None, "logits": self.last(y) * scale, "hidden": y}


@ZOO.takes({"x": numbers(7, 4), "mask": torch.tensor([1, 1, 0, 1, 1, 1, 1]), "scale": 2.0}, CHAIN)
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


@ZOO.takes((Batch(numbers(7, 4)), [numbers(7, 4, seed=2)]), CHAIN)
def dataclass_in_named_tuple_out():
    return Structured()


class Wrapped(nn.Module):
    """What adapters and wrappers do: arguments are handed on."""

    def __init__(self):
        super().__init__()
        self.inner = Two()

    def forward(self, *args, **kwargs):
        return (None, self.inner(*args, **kwargs))


@ZOO.takes((numbers(7, 4),), {"a": "inner.first:in", "b": "inner.last:in", "out": "output"})
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


@ZOO.takes(numbers(7, 4), {"a": "first:in", "b": "part:in", "c": "part:out", "out": "output"})
def dicts_between_parts():
    return InnerDict()


@pytest.mark.parametrize("name", ZOO.names("dict_in_dict_out"))
def test_every_number_of_the_run_is_right(name, tmp_path):
    ZOO.check(name, tmp_path)
