"""What small jobs cost as whole processes, beside an older version checked out elsewhere."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import Figure, Sample, repeated

__all__ = ["BASELINE", "measure_starting"]

BASELINE = "LIB_GRAPH_BASELINE"
"""Names the folder of the older version: `git worktree add FOLDER f00e1b0`"""

HERE = Path(__file__).parents[1]
NETWORK = """
import torch
from torch import nn

def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))

def make_data():
    torch.manual_seed(1)
    return torch.randn(500, 8)
"""
MODEL = "lib_graph/networks/shipped/modular-addition"
OWN = ["mine.py:make", "--data", "mine.py:make_data"]
JOBS = {
    "build of 8-16-4": ["build", *OWN, "--layers", "in=0:in,hidden=2:in,output", "--out", "small"],
    "build of modular addition": ["build", MODEL, "--out", "run"],
    "ablate nodes": ["ablate", "run", "nodes"],
    "examples": ["examples", "run"],
    "trace": ["trace", "run", "--input", "3", "--out", "one"],
    "layers": ["layers", *OWN],
}
AT_MOST = {"build of 8-16-4": 0.5, "build of modular addition": 0.5, "ablate nodes": 0.4}
ASKED = {
    "paths": ["paths", "--target", "output/5", "--store", "run.kgl"],
    "features": ["features", "--store", "run.kgl"],
}


def measure_starting(repeat: int) -> list[Figure]:
    """CPU seconds of whole processes; and, where BASELINE is set, over those of that version."""
    older = os.environ.get(BASELINE)
    samples, ratios = [], []
    for _ in range(repeat):
        then = None if older is None else _jobs(Path(older), JOBS)
        now = _jobs(HERE, {**JOBS, "ingest": ["ingest", "run", "--store", "run.kgl"], **ASKED})
        samples.append({f"process, {name}": now[name] for name in (*JOBS, *ASKED)})
        if then is not None:
            ratios.append(
                {f"process, {name}: of f00e1b0's": now[name] / then[name] for name in JOBS}
            )
    limits = {f"process, {name}": 0.7 for name in ASKED}
    found = repeated(samples, dict.fromkeys(samples[0], "CPU s"), limits)
    if ratios:
        limits = {_ratio(name): limit for name, limit in AT_MOST.items()}
        found += repeated(ratios, dict.fromkeys(ratios[0], "×"), limits)
    return found


def _ratio(name: str) -> str:
    return f"process, {name}: of f00e1b0's"


def _jobs(version: Path, jobs: dict[str, Sequence[str]]) -> Sample:
    """Return the CPU seconds of some commands of a version, one after the other in one folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "mine.py").write_text(NETWORK)
        shutil.copytree(HERE / MODEL, folder / MODEL)
        return {job: _seconds(version, folder, arguments) for job, arguments in jobs.items()}


def _seconds(version: Path, folder: Path, arguments: Sequence[str]) -> float:
    project = (version / "pyproject.toml").read_text(encoding="utf-8")
    entry = re.search(r'^lib-graph = "([\w.]+):(\w+)"', project, re.MULTILINE)
    assert entry is not None, version
    before = _children()
    subprocess.run(
        [sys.executable, "-c", f"from {entry[1]} import {entry[2]}; {entry[2]}()", *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(version)},
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return _children() - before


def _children() -> float:
    """Return the CPU seconds of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
