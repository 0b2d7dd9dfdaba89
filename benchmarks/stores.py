"""Stores of large runs: loads and questions, in CPU seconds, and the same for an older commit.

The older one is `git archive`d beside, so that both are measured on one machine at one time. Each
figure is of a new process: what opening costs is part of every question, as it is for a verb.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from benchmarks.measuring import Figure

__all__ = ["SIZES", "TODAY", "measure_stores", "questions", "write_run"]

TODAY = "f00e1b0"
SIZES = {"110k": 111, "2.25M": 500, "10M": 1054}
"""Name -> features of each of ten layers; every pair interacts"""
REPOSITORY = Path(__file__).parents[1]
ONE = """
import sys
sys.path.insert(0, sys.argv[1])
sys.path.append(sys.argv[2])
from benchmarks.stores import one
one(*sys.argv[3:])
"""


def write_run(path: Path, width: int, seed: int = 0) -> None:
    """Write a run of ten layers of `width` features, all of whose pairs interact."""
    from tests.synthetic import random_run

    if not (path / "manifest.json").is_file():
        random_run(path, (width,) * 10, density=1.0, seed=seed, last="basis")


def questions() -> dict[str, Callable[..., object]]:
    """What is asked of a graph that was opened: name -> question."""
    import io

    from queries.export import export_interactions

    return {
        "open": lambda graph: graph.layers,
        "10 strongest paths": lambda graph: graph.paths(k=10),
        "100 strongest paths": lambda graph: graph.paths(k=100),
        "both ends fixed": lambda graph: graph.paths(source="layer.0/1", target="layer.8/1", k=10),
        "top 20 interactions": lambda graph: graph.interactions(limit=20),
        "layer totals": lambda graph: graph.query("layer_totals"),
        "hubs": lambda graph: graph.query("hubs"),
        "label flow": lambda graph: graph.query("label_flow"),
        "export to Parquet": lambda graph: export_interactions(
            graph, io.BytesIO(), format="parquet"
        ),
        "communities": lambda graph: graph.communities(),
        "open for Cypher": lambda graph: graph.cypher("RETURN 1 AS one"),
    }


def one(what: str, run: str, store: str) -> None:
    """Load a run, or ask one question; print CPU seconds beside imports, and the peak in GB."""
    import pandas  # noqa: F401  a verb's imports are not what is measured
    import pyarrow.parquet  # noqa: F401

    import ingest
    import queries

    for name in ("ingest.store.embedded", "queries.modules.communities", "queries.export"):
        __import__(name)
    if what == "load":
        before = time.process_time()
        ingest.load(run, store)
    else:
        before = time.process_time()
        with queries.open_graph(store) as graph:
            questions()[what](graph)
    seconds = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
    print(json.dumps({"seconds": seconds, "peak": peak / 1e9}))


def measure_stores(
    folder: Path, repeat: int, sizes: tuple[str, ...] = ("110k", "2.25M"), today: bool = True
) -> Iterator[list[Figure]]:
    """Yield, for each size, the load and every question: now, and of the commit TODAY."""
    codes = {"": REPOSITORY}
    if today:
        codes[f" at {TODAY}"] = _commit(folder / TODAY)
    for size in sizes:
        run = folder / f"run-{size}"
        write_run(run, SIZES[size])
        for suffix, code in codes.items():
            store = folder / f"{size}{suffix.replace(' ', '-')}.kgl"
            store.unlink(missing_ok=True)
            yield _figures(f"embedded, {size}: load{suffix}", [_measured(code, "load", run, store)])
            for what in questions():
                samples = [_measured(code, what, run, store) for _ in range(repeat)]
                yield _figures(f"embedded, {size}: {what}{suffix}", samples)


def _figures(name: str, samples: list[dict[str, float]]) -> list[Figure]:
    seconds = tuple(sample["seconds"] for sample in samples)
    peak = median(sample["peak"] for sample in samples)
    return [Figure(name, "CPU s", seconds), Figure(f"{name}, memory", "GB", (peak,))]


def _measured(code: Path, what: str, run: Path, store: Path) -> dict[str, float]:
    command = [sys.executable, "-c", ONE, str(code), str(REPOSITORY), what, str(run), str(store)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True, cwd=store.parent
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _commit(folder: Path) -> Path:
    """Return a folder with the code of the commit TODAY, without this module."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        archive = subprocess.run(
            ["git", "archive", TODAY], cwd=REPOSITORY, stdout=subprocess.PIPE, check=True
        )
        subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
        for name in ("benchmarks", "tests"):
            subprocess.run(["rm", "-r", str(folder / name)], check=True)
    return folder
