"""Several processes under torchrun agree with one."""

import os
import runpy
import subprocess
import sys

import pytest
import torch

import lib_graph
from lib_graph.dictionaries.bases_file import read_bases
from lib_graph.support.processes import ALONE

BUILDS = """
import sys
import torch
import lib_graph

def module():
    torch.manual_seed(0)
    class Mixing(torch.nn.Module):
        def forward(self, x):
            return x + torch.tanh(x.cumsum(1))
    return torch.nn.Sequential(
        torch.nn.Linear(6, 8), Mixing(), torch.nn.Linear(8, 8), torch.nn.Tanh(),
        torch.nn.Linear(8, 3),
    ).double()

def data():
    return torch.randn(50, 2, 6, generator=torch.Generator().manual_seed(3)).double()

def builds(folder, bases=None):
    options = {"data": data(), "layers": ["a=1:in", "b=2:in", "c=4:in", "output"]}
    first = lib_graph.build(module(), f"{folder}/lib", **options)
    given = lib_graph.Options(basis=bases or f"{folder}/lib")
    lib_graph.build(module(), f"{folder}/given", given, **options)
    return first

if __name__ == "__main__":
    builds(*sys.argv[1:])
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("script") / "builds.py"
    path.write_text(BUILDS)
    return path


@pytest.fixture(scope="module")
def alone(script, tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    runpy.run_path(str(script))["builds"](folder)
    return folder


def environment():
    root = os.path.dirname(os.path.dirname(lib_graph.__file__))
    return {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def torchrun(count, *arguments):
    """Run a script in several processes, which meet at a port that is free."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(count)]
    return subprocess.run(
        [*command, *arguments], env=environment(), capture_output=True, text=True, timeout=300
    )


def near(found, truth, tolerance):
    return (found - truth).norm() <= tolerance * truth.norm()


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("count", [2, 4])
def test_processes_agree_with_one(script, alone, count, tmp_path):
    ended = torchrun(count, script, tmp_path, alone / "lib")
    assert ended.returncode == 0, ended.stderr
    found, truth = (
        read_bases(folder / "lib" / "bases.safetensors") for folder in (tmp_path, alone)
    )
    for layer, basis in truth.items():
        assert near(found[layer].mean, basis.mean, 1e-10)
        assert near(found[layer].pca_eigenvalues, basis.pca_eigenvalues, 1e-10)
        top = basis.importance > 1e-3 * basis.importance[0]
        assert torch.allclose(found[layer].importance[top], basis.importance[top], rtol=1e-6)
    assert near(found["c"].importance, truth["c"].importance, 1e-10)  # the next basis is fixed
    keys = ["source_layer", "source", "target_layer", "target"]
    one, other = (lib_graph.Run.open(folder / "given") for folder in (tmp_path, alone))
    assert one.id == other.id
    both = one.interactions.merge(other.interactions, on=keys, suffixes=("", "_alone"))
    assert len(both) == len(other.interactions)
    for name in ("strength", "effect", "stderr"):
        off = (both[name] - both[f"{name}_alone"]).pow(2).sum() ** 0.5
        assert off <= 1e-10 * both[f"{name}_alone"].pow(2).sum() ** 0.5, name


@pytest.mark.slow
def test_a_failure_of_all_is_said_once(tmp_path):
    script = tmp_path / "patient.py"  # the first may be slower by more than the usual two seconds
    script.write_text("from queries.cli import main as m\nm.GRACE = 100\nm.main()")
    ended = torchrun(2, script, "build", tmp_path / "none", "--out", tmp_path / "run")
    assert ended.returncode != 0
    assert ended.stderr.count("Error: There is no model folder") == 1


def test_one_process_shares_with_itself():
    tensors = {"x": torch.arange(3), "y": torch.ones(2, 2)}
    assert ALONE.first
    assert ALONE.gathered(tensors) == [tensors]
    assert ALONE.from_first(tensors) == tensors
