"""Columns that several threads read, and shares too small for a number."""

from __future__ import annotations

import threading
from pathlib import Path

import ingest
from ingest.store import open_store
from tests.synthetic import random_run


def test_threads_may_share_them(tmp_path: Path) -> None:
    run = random_run(tmp_path / "run", (40, 40, 40), density=1.0, seed=1)
    ingest.load(run, tmp_path / "graph.kgl")
    with open_store(tmp_path / "graph.kgl") as store:
        kept = store.columns()
        assert kept is not None
        columns = kept.run(run.id)
        assert columns is not None
        wanted = [columns.section(layer, "strength")["strength"].sum() for layer in (0, 1)]
        found: list[list[float]] = []

        def read() -> None:
            for _ in range(100):
                sums = [columns.section(layer, "strength")["strength"].sum() for layer in (0, 1)]
                found.append(sums)

        threads = [threading.Thread(target=read) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 600
    assert all(each == wanted for each in found)
