"""A process that writes an embedded store and is killed: all of what it did is there, or nothing.

The moments are random. So that there can be many, the processes are forks of one that has imported
everything.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ingest
import queries
from ingest.store import open_store
from ingest.store.columns import INDEX, stamp
from lib_graph.run import Run
from tests.ingest.graphs import dump, undated
from tests.synthetic import random_run

# For each line of stdin: do a work in a fork, kill that after some seconds, and say how it ended.
FORKING = """
import os, signal, sys, time
import kglite, pandas, pyarrow.parquet
import ingest.loading, queries.modules.communities
from tests.ingest.test_kills import WORKS

print("warm", flush=True)
for line in sys.stdin:
    work, file, first, second, seconds = line.split()
    child = os.fork()
    if not child:
        WORKS[work](file, first, second)
        os._exit(0)
    if seconds != "never":
        time.sleep(float(seconds))
        os.kill(child, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def label_first(file: str, first: str, second: str) -> None:
    with queries.open_graph(file, Run.open(first).id) as graph:
        graph.label("layer.0/3", "found by hand")


def find_modules(file: str, first: str, second: str) -> None:
    with queries.open_graph(file, Run.open(first).id) as graph:
        graph.save_communities(graph.communities())


WORKS: dict[str, Callable[[str, str, str], object]] = {
    "load": lambda file, first, second: ingest.load(first, file),
    "load-second": lambda file, first, second: ingest.load(second, file),
    "delete": lambda file, first, second: ingest.delete(Run.open(first).id, file),
    "label": label_first,
    "modules": find_modules,
    "compact": lambda file, first, second: ingest.compact(file),
}
"""What is killed; all but the first find the first run in the store"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("runs")
    return [str(random_run(folder / str(n), (40, 40, 40), seed=n).path) for n in range(2)]


@pytest.fixture(scope="module")
def forking() -> Iterator[Callable[..., tuple[int, float]]]:
    """Does a work in a process of its own: how that ended, and after how many seconds."""
    with subprocess.Popen(
        [sys.executable, "-c", FORKING],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:  # fmt: skip
        requests, replies = process.stdin, process.stdout
        assert requests is not None
        assert replies is not None
        assert replies.readline() == "warm\n"  # what a work takes is measured without imports

        def do(*words: object) -> tuple[int, float]:
            began = time.monotonic()
            print(*words, file=requests, flush=True)
            return int(replies.readline()), time.monotonic() - began

        yield do
        requests.close()
        assert process.wait() == 0


def copied(store: Path, to: Path) -> Path:
    """Return a copy of a store's file with its columns, which are then those of the copy."""
    to.mkdir()
    file = to / "graph.kgl"
    if store.exists():
        shutil.copyfile(store, file)
        shutil.copytree(f"{store}.columns", f"{file}.columns")
        index = Path(f"{file}.columns") / INDEX
        index.write_text(json.dumps({**json.loads(index.read_text()), "stamp": stamp(file)}))
    return file


def seen(file: Path) -> list[Any]:
    """What a reader sees of a store: all of the graph, and answers from columns where they are."""
    if not file.exists():
        return []
    with open_store(file) as store:
        found: list[Any] = [undated(dump(store))]
        for run in sorted(row["id"] for row in store.execute("MATCH (r:Run) RETURN r.id AS id")):
            with queries.open_graph(store, run) as graph:
                found += [graph.interactions(limit=9).records(), graph.features().records()]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kills", [2, pytest.param(40, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("work", WORKS)
def test_a_reader_sees_the_old_store_or_the_new_one(
    tmp_path: Path,
    runs: list[str],
    forking: Callable[..., tuple[int, float]],
    work: str,
    kills: int,
) -> None:
    start = tmp_path / "graph.kgl"
    if work != "load":
        ingest.load(runs[0], start)
    old = seen(start)
    whole = copied(start, tmp_path / "whole")
    ended, seconds = forking(work, whole, *runs, "never")
    new = seen(whole)
    assert ended == 0
    assert (old == new) is (work == "compact")
    rng = random.Random(work)
    ways = set()
    for n in range(kills):
        file = copied(start, tmp_path / f"killed-{n}")
        ended, _ = forking(work, file, *runs, rng.uniform(0, seconds))
        assert ended in (0, -signal.SIGKILL)
        found = seen(file)
        assert found in (old, new)
        ways.add((ended, found == new))
        without = not Path(f"{file}.columns").exists()  # killed between the first graph and these
        if found != new or without or work == "compact":
            WORKS[work](str(file), *runs)
        assert seen(file) == new
        assert {each.name.removeprefix(file.name) for each in file.parent.iterdir()} == {
            "", ".columns", ".lock", ".lock-owner",
        }  # fmt: skip
    if kills > 20 and work != "compact":
        assert (-signal.SIGKILL, False) in ways
