"""What is measured, each in a new process: a build, loads, questions, and the command's start."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measuring import Figure, Sample, in_fresh_process, repeated

__all__ = ["build_run", "measure_build", "measure_help", "measure_store"]

TARGET = "output/5"


def measure_help(repeat: int) -> list[Figure]:
    """`lib-graph --help`, the whole process."""
    name = "lib-graph --help"
    command = [str(Path(sys.executable).with_name("lib-graph")), "--help"]

    def once() -> Sample:
        seconds = _wall(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
        return {name: seconds}

    return repeated([once() for _ in range(repeat)], {name: "s"}, {name: 0.5})


def measure_build(folder: Path, repeat: int, basis: str, dtype: str) -> list[Figure]:
    """A build of the shipped model: CPU seconds and memory. LIB in float64 is promised."""
    prefix = f"build {basis} {dtype}: "
    samples = []
    for i in range(repeat):
        seconds, peak = in_fresh_process(build_run, folder / f"{basis}-{dtype}-{i}", basis, dtype)
        samples.append({prefix + name: value for name, value in seconds.items()})
        samples[-1][prefix + "peak memory"] = peak
    units = {name: "GB" if name.endswith("memory") else "CPU s" for name in samples[0]}
    limits = {prefix + "bases and interactions": 8.0, prefix + "peak memory": 1.2}
    promised = (basis, dtype) == ("lib", "float64")
    return repeated(samples, units, limits if promised else {})


def build_run(out: Path, basis: str = "lib", dtype: str = "float64") -> Sample:
    """Build the shipped model's run; return CPU seconds of its parts."""
    from lib_graph.building.build import build
    from lib_graph.building.options import Options
    from lib_graph.networks import load_subject, shipped_model

    start = time.process_time()
    options = Options(basis=basis, dtype=dtype)  # type: ignore[arg-type]
    timings = build(load_subject(shipped_model()), out, options).manifest.timings
    total = time.process_time() - start
    beside = sum(timings[stage] for stage in ("trace", "labels"))
    return {"bases and interactions": sum(timings.values()) - beside, "all stages": total}


def measure_store(run: Path, stores: list[str], label: str, load_limit: float) -> list[Figure]:
    """A load into each store (a path or an address), and questions to it."""
    samples = []
    for store in stores:
        loaded, _ = in_fresh_process(load_run, run, store)
        asked, _ = in_fresh_process(ask, store)
        samples.append({f"{label}: {name}": s for name, s in {**loaded, **asked}.items()})
    limits = dict.fromkeys(samples[0], 0.3) | {f"{label}: load": load_limit}
    for name in ("open", "communities"):
        del limits[f"{label}: {name}"]
    return repeated(samples, dict.fromkeys(samples[0], "s"), limits)


def load_run(run: Path, store: str) -> Sample:
    """Load a run into a store that does not hold it, or no longer."""
    import ingest
    from lib_graph.errors import NotFoundError
    from lib_graph.run import Run

    with ingest.open_store(store) as graph:
        with contextlib.suppress(NotFoundError):
            ingest.delete(Run.open(run).id, graph)
        return {"load": _wall(lambda: ingest.load(run, graph))}


def ask(store: str) -> Sample:
    """Ask a store what the demo asks; every question once, on a store just opened."""
    import queries

    seconds = {}
    start = time.perf_counter()
    with queries.open_graph(store) as graph:
        seconds["open"] = time.perf_counter() - start
        seconds["10 strongest paths"] = _wall(lambda: graph.paths(target=TARGET, k=10))
        seconds["circuit"] = _wall(lambda: graph.circuit(target=TARGET, min_share=0.05))
        seconds["communities"] = _wall(lambda: graph.communities())
    return seconds


def _wall(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
