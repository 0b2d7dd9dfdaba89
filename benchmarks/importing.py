"""A server's own import of large runs: the files that lib-graph writes, and what reads them.

Seconds are of the clock, as the import is promised so: what else runs on the machine counts.
"""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from benchmarks.measuring import Figure, Sample, in_fresh_process
from benchmarks.stores import SIZES, peak_gb, write_run
from ingest.offline import ImportFormat, write_import
from tools.neo4j import server

__all__ = ["measure_imports"]

LEAST_RATE = 100_000  # interactions a second, from the run folder to the store


def measure_imports(folder: Path, sizes: tuple[str, ...]) -> Iterator[list[Figure]]:
    """Yield, for each size and format, how fast files are written and taken in by `neo4j-admin`."""
    server.fetch_jars()
    *_, largest = sizes
    for size in sizes:
        run = folder / f"run-{size}"
        in_fresh_process(_write_run, run, SIZES[size])
        for format in get_args(ImportFormat):
            files = folder / f"files-{size}-{format}"
            written, _ = in_fresh_process(_write_files, run, files, format)
            taken = _take_in(folder / "home", files)
            name = f"neo4j-admin, {size}, {format}"
            seconds = written["wall"] + taken["wall"]
            rate = written["interactions"] / seconds
            promised = LEAST_RATE if size == largest else None  # Java alone takes seconds to start
            yield [
                Figure(f"{name}: write", "s", (written["wall"],)),
                Figure(f"{name}: write, CPU", "CPU s", (written["cpu"],)),
                Figure(f"{name}: write, memory", "GB", (written["peak"],)),
                Figure(f"{name}: import", "s", (taken["wall"],)),
                Figure(f"{name}: import, CPU", "CPU s", (taken["cpu"],)),
                Figure(f"{name}: interactions", "/s", (rate,), promised, at_least=True),
            ]
            shutil.rmtree(files)


def _write_run(run: Path, width: int) -> Sample:
    write_run(run, width)
    return {}


def _write_files(run: Path, files: Path, format: ImportFormat) -> Sample:
    wall, cpu = time.perf_counter(), time.process_time()
    report = write_import([run], files, format=format)
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "peak": peak_gb(),
        "interactions": report.interactions,
    }


def _take_in(home: Path, files: Path) -> Sample:
    wall, cpu = time.perf_counter(), _cpu_of_children()
    server.import_files(home, files)
    return {"wall": time.perf_counter() - wall, "cpu": _cpu_of_children() - cpu}


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
