"""The oracle itself, on networks that the library has always been right on."""

import json

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import lib_graph
from tests.lib_graph.deviations import differences
from tests.lib_graph.zoo import Case, check, filled, numbers


class Block(nn.Module):
    """A residual block over positions, with a module for each tensor that bypasses its inside."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(d), nn.Linear(d, 5), nn.Linear(5, d)
        self.around = nn.Identity()

    def forward(self, x):
        x = x + x.cumsum(1) / 4
        inside = torch.tanh(self.up(self.norm(x)))
        return self.around(x) + self.down(inside)


def stacked():
    return filled(nn.Sequential(nn.Linear(3, 4), Block(4), nn.Linear(4, 2)))


LAYERS = {"a": "1:in", "b": ("1.down:in", "1.around:in"), "c": "2:in", "out": "output"}
TRAPEZOID = ((0.0, 0.25), (0.5, 0.5), (1.0, 0.25))


@pytest.mark.slow
def test_layers_with_positions_and_a_bypass(tmp_path):
    check(Case(stacked, numbers(7, 2, 3), LAYERS), tmp_path)


@pytest.mark.slow
def test_along_a_path_with_the_biases(tmp_path):
    case = Case(stacked, numbers(7, 2, 3), LAYERS, TRAPEZOID)
    check(case, tmp_path, lib_graph.Options(rule="trapezoid", points=3))


@pytest.mark.slow
def test_a_bypass_that_is_held(tmp_path):
    layers = LAYERS | {"b": "1.down:in"}
    case = Case(stacked, numbers(7, 2, 3), layers, held={"b": "1.around:in"})
    check(case, tmp_path, lib_graph.Options(partial=True))


def images():
    return filled(nn.Sequential(nn.Conv2d(2, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(12, 2)))


@pytest.mark.slow
def test_images(tmp_path):
    layers = {"a": "0:in", "b": "1:in", "c": "3:in", "out": "output"}
    check(Case(images, numbers(6, 2, 3, 3), layers), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "column"),
    [("strength", 1), ("stderr", 1), ("effect", 1), ("strength", 0), ("importance", 1)],
)
def test_a_wrong_number_is_seen(tmp_path, file, column):
    """Change one number of a run by a millionth, and the oracle names it."""
    case = Case(stacked, numbers(7, 2, 3), LAYERS)
    lib_graph.build(case.make(), tmp_path, data=case.data, layers=case.named)
    name = "features" if file == "importance" else "interactions"
    table = pd.read_parquet(tmp_path / f"{name}.parquet")
    layer, index = ("layer", "index") if name == "features" else ("source_layer", "source")
    rows = (table[layer] == "a") & ((table[index] > 0) == bool(column))
    row = table[file].where(rows).abs().idxmax()
    table.loc[row, file] *= 1 + 1e-6
    table.to_parquet(tmp_path / f"{name}.parquet")
    wrong = [what for what, error in differences(case, tmp_path).items() if error > 1e-8]
    expected = f"a constant {file}" if column == 0 else f"a {file}"
    assert wrong == [expected]


@pytest.mark.slow
def test_a_wrong_basis_is_seen(tmp_path):
    case = Case(stacked, numbers(7, 2, 3), LAYERS)
    lib_graph.build(case.make(), tmp_path, data=case.data, layers=case.named)
    tensors = load_file(tmp_path / "bases.safetensors")
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))[0]
    tensors["a.rotation"][:, :3] @= turn
    save_file(tensors, tmp_path / "bases.safetensors")
    wrong = [what for what, error in differences(case, tmp_path).items() if error > 1e-8]
    assert {"a inverse", "a importance", "a strength"} <= {*wrong}
    assert json.loads((tmp_path / "manifest.json").read_text())["layers"][0]["name"] == "a"
