"""Weights that are shared, normalised, or adapted."""

import pytest
import torch
from torch import nn

from tests.lib_graph.zoo import Zoo, numbers

ZOO = Zoo()


@ZOO.takes(numbers(7, 4), {"a": "0:in", "b": "2:in", "out": "output"})
def new_weight_norm():
    norm = nn.utils.parametrizations.weight_norm
    return nn.Sequential(norm(nn.Linear(4, 5)), nn.Tanh(), norm(nn.Linear(5, 2)))


@ZOO.takes(numbers(7, 4), {"a": "0:in", "b": "2:in", "out": "output"})
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


@ZOO.takes(numbers(7, 4), {"a": "0:in", "b": "2:in", "out": "output"})
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


USES = {"a": "block#1:in", "b": "again#2:in", "c": "again#3:in", "out": "output"}


@ZOO.takes(numbers(7, 4), USES)
def shared_block():
    return Shared()


@pytest.mark.parametrize("name", ZOO.names("shared_block"))
def test_every_number_of_the_run_is_right(name, tmp_path):
    ZOO.check(name, tmp_path)
