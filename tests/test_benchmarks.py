"""What benchmarks read off a build, they find there."""

import pytest
import torch
from torch import nn

from benchmarks.builds import Case, of_build
from lib_graph.building.options import Options
from lib_graph.networks import Subject


def small() -> Case:
    module = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    layers = ["input=0:in", "hidden=2:in", "output"]
    return Subject.of(module, torch.rand(100, 8), layers), Options()


@pytest.mark.slow
def test_a_build_has_its_seconds_and_its_memory_beside_the_announced() -> None:
    figures = {figure.name: figure for figure in of_build("small", small, 1)}
    assert set(figures) == {f"small: {x}" for x in ("build", "memory", "memory over its estimate")}
    memory, over = figures["small: memory"], figures["small: memory over its estimate"]
    assert 0 < over.median < 2
    assert 0.1e9 < memory.median * 1e9 / over.median < 4e9  # the estimate, in bytes
