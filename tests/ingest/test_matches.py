"""Matches of two runs are in a store whenever both runs are."""

from __future__ import annotations

import itertools
from pathlib import Path

import pandas as pd
import pytest

import ingest
from ingest.store import GraphStore
from lib_graph.errors import RunError
from lib_graph.run import Run
from lib_graph.run.matches import matches_path, write_matches
from tests.ingest.graphs import comparable, copy_with_strengths, dump, expected
from tests.synthetic import random_run

STORED = """
MATCH (f:Feature)-[m:MATCHES]->(g:Feature)
RETURN f.id AS source, g.id AS target, m.correlation AS correlation, m.rank AS rank,
       m.other_rank AS other_rank
"""


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pieces", "filling", "deleting", "matches"):
        monkeypatch.setattr(f"ingest.{module}.PIECE_ROWS", 5)


def write(one: Run, two: Run, rank: int = 1) -> pd.DataFrame:
    """Write matches of two runs into both folders: those of two layers."""
    places = itertools.product(("layer.0", "layer/1"), (1, 2, 3), (1, 2))
    frame = pd.DataFrame(list(places), columns=["layer", "index", "other_index"])
    frame["correlation"] = [0.5 - i / 7 for i in range(len(frame))]
    frame = frame.assign(run=one.id, other=two.id, rank=rank, other_rank=frame["index"])
    bases = {run.id: run.manifest.files["bases.safetensors"] for run in (one, two)}
    for run in (one, two):
        origin = {"run": one.id, "other": two.id, "bases": bases, "count": 3}
        write_matches(matches_path(run.path, one.id, two.id), frame, origin)
    return frame


def stored(store: GraphStore) -> set[tuple[object, ...]]:
    rows = [tuple(row.values()) for row in store.execute(STORED)]
    assert len(set(rows)) == len(rows)
    return set(rows)


def rows_of(frame: pd.DataFrame) -> set[tuple[object, ...]]:
    return {
        (f"{row.run}/{row.layer}/{row.index}", f"{row.other}/{row.layer}/{row.other_index}",
         row.correlation, row.rank, row.other_rank)
        for row in frame[["run", "layer", "index", "other", "other_index", "correlation", "rank",
                          "other_rank"]].itertuples(index=False, name="Row")
    }  # fmt: skip


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Run, Run]:
    return (
        random_run(tmp_path / "one", (4, 4, 2), seed=1),
        random_run(tmp_path / "two", (4, 4, 2), seed=2),
    )


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 1])
def test_matches_come_with_whichever_run_is_loaded_last(
    store: GraphStore, runs: tuple[Run, Run], first: int
) -> None:
    frame = write(*runs)
    assert ingest.load(runs[first], store).outcome == "loaded"
    assert stored(store) == set()
    assert ingest.load(runs[1 - first], store).outcome == "loaded"
    assert stored(store) == rows_of(frame)
    before = dump(store)
    assert [ingest.load(run, store).outcome for run in runs] == ["unchanged"] * 2
    assert dump(store) == before


@pytest.mark.slow
def test_matches_that_are_found_later_are_added_and_new_ones_taken(
    store: GraphStore, runs: tuple[Run, Run]
) -> None:
    for run in runs:
        ingest.load(run, store)
    write(*runs)
    report = ingest.load(runs[1], store)
    assert str(report).startswith(f"Added what was found since to run {runs[1].id}")
    frame = write(*runs, rank=2)
    assert [ingest.load(run, store).outcome for run in runs] == ["updated", "unchanged"]
    assert stored(store) == rows_of(frame)
    store.write("MATCH (:Feature)-[m:MATCHES]->() WITH m LIMIT 1 DELETE m")
    assert ingest.load(runs[0], store).outcome == "updated"
    assert stored(store) == rows_of(frame)


@pytest.mark.slow
@pytest.mark.parametrize("gone", [0, 1])
def test_matches_go_with_either_run_and_come_back(
    store: GraphStore, runs: tuple[Run, Run], gone: int
) -> None:
    frame = write(*runs)
    for run in runs:
        ingest.load(run, store)
    ingest.delete(runs[gone].id, store)
    assert comparable(dump(store)) == expected(runs[1 - gone])
    ingest.load(runs[gone], store)
    assert stored(store) == rows_of(frame)


@pytest.mark.slow
def test_a_replaced_run_keeps_its_matches(
    store: GraphStore, runs: tuple[Run, Run], tmp_path: Path
) -> None:
    def change(table: pd.DataFrame) -> None:
        table["strength"] *= 2

    frame = write(*runs)
    for run in runs:
        ingest.load(run, store)
    other = copy_with_strengths(runs[1], tmp_path / "other", change)
    assert ingest.load(other, store, replace=True).outcome == "replaced"
    assert stored(store) == rows_of(frame)


@pytest.mark.slow
def test_matches_with_another_build_wait_for_it(
    store: GraphStore, runs: tuple[Run, Run], tmp_path: Path
) -> None:
    frame = write(*runs)
    old = random_run(tmp_path / "old", (4, 4, 2), seed=3, run_id=runs[1].id, bases=b"others")
    ingest.load(old, store)
    ingest.load(runs[0], store)
    assert stored(store) == set()
    ingest.load(runs[1], store, replace=True)
    assert stored(store) == rows_of(frame)


def test_matches_of_another_build_of_the_run_are_one_clear_line(
    store: GraphStore, runs: tuple[Run, Run], tmp_path: Path
) -> None:
    write(*runs)
    new = random_run(tmp_path / "new", (4, 4, 2), seed=1, run_id=runs[0].id, bases=b"others")
    name = matches_path(runs[0].path, runs[0].id, runs[1].id).name
    (new.path / name).write_bytes((runs[0].path / name).read_bytes())
    with pytest.raises(RunError, match=f"of another build than that of run {new.id}") as caught:
        ingest.load(new, store)
    assert "\n" not in str(caught.value)
