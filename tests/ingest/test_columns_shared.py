"""Columns that several threads read, and shares too small for a number."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ingest
import queries
from ingest.store import open_store
from tests import synthetic
from tests.synthetic import random_run


def test_damaged_ones_are_as_if_there_were_none(tmp_path: Path) -> None:
    run = random_run(tmp_path / "run", (4, 3), seed=1)
    ingest.load(run, tmp_path / "graph.kgl")
    with open_store(tmp_path / "graph.kgl") as store, queries.open_graph(store) as graph:
        whole = graph.interactions().records()
    for file in (tmp_path / "graph.kgl.columns").glob("interactions-*.parquet"):
        file.write_bytes(b"PAR1" + bytes(40))
    with open_store(tmp_path / "graph.kgl") as store, queries.open_graph(store) as graph:
        kept = store.columns()
        assert kept is not None
        assert kept.run(run.id) is None
        assert graph.interactions().records() == whole


@pytest.mark.slow
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


def answers(file: Path) -> list[Any]:
    with queries.open_graph(file) as graph:
        return [
            graph.paths(k=1000).records(),
            graph.interactions(limit=1000).records(),
            graph.query("concentrated_inputs", min_importance=0.0).records(),
        ]


def test_a_share_too_small_for_a_number_is_what_it_is_in_the_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = synthetic._section

    def far_apart(*arguments: Any) -> pd.DataFrame:
        section = made(*arguments)
        strength = section.strength.where(section.index % 3 != 0, 1e-300)
        strength = strength.where(section.index % 3 == 0, 1e30)
        constant = section.source == 0
        into = strength.where(~constant, 0.0).groupby(section.target).transform("sum")
        return section.assign(strength=strength, share=(strength / into).where(~constant, np.nan))

    monkeypatch.setattr(synthetic, "_section", far_apart)
    run = random_run(tmp_path / "run", (3, 3, 2), density=1.0, seed=1)
    assert (run.interactions.share == 0).any()
    file = tmp_path / "graph.kgl"
    ingest.load(run, file)
    of_columns = answers(file)
    shutil.rmtree(f"{file}.columns")
    of_graph = answers(file)
    assert len(of_graph[0]) == 3 * 3 * 2
    for found, wanted in zip(of_columns, of_graph, strict=True):
        pd.testing.assert_frame_equal(pd.DataFrame(found), pd.DataFrame(wanted))
