"""Stores of large runs: loads and questions, in CPU seconds, and the same for an older commit.

The older one is `git archive`d beside, so that both are measured on one machine at one time. Each
figure is of a new process: what opening costs is part of every question, as it is for a verb.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from benchmarks.measuring import Figure

__all__ = ["SIZES", "TODAY", "measure_stores", "peak_gb", "questions", "write_run"]

TODAY = "f00e1b0"
SIZES = {"110k": 111, "2.25M": 500, "10M": 1054}
"""Name -> features of each of ten layers; every pair interacts"""
IMPORTED = ("ingest.store.embedded", "queries.columnar", "queries.modules.communities",
            "queries.communities", "queries.export")  # fmt: skip
TWO_HOPS = "two-hop neighbourhood, opened for Cypher before"
NEIGHBOURHOOD = (
    "MATCH (f:Feature {layer: 'layer.2', index: 1})-[:INTERACTS]->(:Feature)-[:INTERACTS]->(t) "
    "RETURN count(DISTINCT t) AS features"
)
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

    random_run(path, (width,) * 10, density=1.0, seed=seed, last="basis")


def questions() -> dict[str, Callable[..., object]]:
    """What is asked of a graph that was opened: name -> question."""
    return {
        "open": lambda graph: graph.layers,
        "10 strongest paths": lambda graph: graph.paths(k=10),
        "100 strongest paths": lambda graph: graph.paths(k=100),
        "both ends fixed": lambda graph: graph.paths(source="layer.0/1", target="layer.8/1", k=10),
        "top 20 interactions": lambda graph: graph.interactions(limit=20),
        "layer totals": lambda graph: graph.query("layer_totals"),
        "hubs": lambda graph: graph.query("hubs"),
        "label flow": lambda graph: graph.query("label_flow"),
        "export to Parquet": _export,
        "communities": lambda graph: graph.communities(),
        "inputs of a feature": lambda graph: graph.query("inputs_of", feature="layer.8/1"),
        "open for Cypher": lambda graph: graph.cypher("RETURN 1 AS one"),
        TWO_HOPS: lambda graph: graph.cypher(NEIGHBOURHOOD),
    }


def _export(graph: object) -> None:
    from queries.export import export_interactions

    export_interactions(graph, io.BytesIO(), format="parquet")  # type: ignore[arg-type]


def one(what: str, run: str, store: str) -> None:
    """Write or load a run, or ask a question; print CPU seconds beside imports, and peak in GB.

    `what` is a question's name, 'load', or how wide the layers of the run to write are.
    """
    import pandas  # noqa: F401  a verb's imports are not what is measured
    import pyarrow.parquet  # noqa: F401

    import ingest
    import queries

    for name in IMPORTED:
        with contextlib.suppress(ModuleNotFoundError):  # an older commit has other modules
            importlib.import_module(name)
    before = time.process_time()
    if what.isdecimal():
        write_run(Path(run), int(what))
    elif what == "load":
        ingest.load(run, store)
    else:
        with queries.open_graph(store) as graph:
            if what == TWO_HOPS:
                graph.cypher("RETURN 1 AS one")
                before = time.process_time()
            questions()[what](graph)
    seconds = time.process_time() - before
    print(json.dumps({"seconds": seconds, "peak": peak_gb()}))


def peak_gb() -> float:
    """Return the peak of this process's memory in GB, whichever lib-graph it runs."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e9


def measure_stores(
    folder: Path, repeat: int, sizes: tuple[str, ...] = ("110k", "2.25M"), today: bool = True
) -> Iterator[list[Figure]]:
    """Yield, for each size, the load and every question: now, and of the commit TODAY."""
    codes = {"": REPOSITORY}
    if today:
        codes[f" at {TODAY}"] = _commit(folder / TODAY)
    for size in sizes:
        for suffix, code in codes.items():
            run = folder / f"run-{size}{suffix.replace(' ', '-')}"  # the folders differ, too
            store = folder / f"{run.name}.kgl"
            _measured(code, str(SIZES[size]), run, store)
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
        shutil.rmtree(folder / "benchmarks")
    return folder
