"""Loading a run: what is in the store afterwards, whatever happened on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ingest
from ingest.store import GraphStore, open_store
from lib_graph.errors import ConflictError, StoreError
from lib_graph.run import Run
from tests.ingest.graphs import comparable, copy_with_strengths, dump, expected, undated
from tests.synthetic import random_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return random_run(tmp_path / "run", (4, 3, 3, 2), seed=1)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("ingest.pieces", "ingest.filling", "ingest.deleting"):
        monkeypatch.setattr(f"{module}.PIECE_ROWS", 5)


def stronger(by: float) -> Callable[[pd.DataFrame], None]:
    def change(table: pd.DataFrame) -> None:
        table.loc[7, "strength"] *= by

    return change


def test_the_graph_is_that_of_the_tables(store: GraphStore, run: Run) -> None:
    report = ingest.load(run, store)
    assert comparable(dump(store)) == expected(run)
    assert (report.outcome, report.changed) == ("loaded", True)
    assert (report.run_id, report.store) == (run.id, store.name)
    assert (report.features, report.interactions) == (12, len(run.interactions))
    assert report.strength_total == pytest.approx(run.interactions.strength.sum(), rel=1e-12)


@pytest.mark.parametrize("wide", [0, 1, 2])
def test_features_with_many_targets_are_loaded_alike(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wide: int
) -> None:
    monkeypatch.setattr("ingest.store.kglite_writing.WIDE", wide)
    with open_store(tmp_path / "wide.kgl") as graph:
        ingest.load(run, graph)
        assert comparable(dump(graph)) == expected(run)
        assert ingest.load(run, graph).outcome == "unchanged"


def test_a_folder_is_as_good_as_a_run(store: GraphStore, store_target: str, run: Run) -> None:
    assert ingest.load(str(run.path), store_target).outcome == "loaded"
    assert ingest.load(run.path, store).outcome == "unchanged"


def test_a_second_load_changes_nothing(store: GraphStore, run: Run) -> None:
    ingest.load(run, store)
    before = dump(store)
    report = ingest.load(run, store)
    assert (report.outcome, report.changed) == ("unchanged", False)
    assert dump(store) == before


@pytest.mark.slow
def test_runs_do_not_mix(store: GraphStore, run: Run, tmp_path: Path) -> None:
    other = random_run(tmp_path / "other", (4, 3, 3, 2), seed=2)
    ingest.load(run, store)
    ingest.load(other, store)
    found = comparable(dump(store))
    for part, one, two in zip(found, expected(run), expected(other), strict=True):
        assert len(part) == len(one) + len(two)
        assert [item for item in one + two if item not in part] == []
    assert [ingest.load(r, store).outcome for r in (run, other)] == ["unchanged"] * 2


def test_a_run_of_one_layer_or_without_interactions(store: GraphStore, tmp_path: Path) -> None:
    for number, widths in enumerate([(3,), (3, 2)]):
        lonely = random_run(tmp_path / str(number), widths, density=0.0, seed=number)
        assert ingest.load(lonely, store).interactions == 0
        assert ingest.load(lonely, store).outcome == "unchanged"


@pytest.mark.slow
@pytest.mark.parametrize("by", [1 + 1e-9, 1.5, 100.0])
def test_other_numbers_are_a_conflict(
    store: GraphStore, run: Run, tmp_path: Path, by: float
) -> None:
    ingest.load(run, store)
    before = dump(store)
    other = copy_with_strengths(run, tmp_path / "other", stronger(by))
    row = run.interactions.loc[7]
    place = f"{row.source_layer}/{row.source} > {row.target_layer}/{row.target}"
    with pytest.raises(ConflictError) as caught:
        ingest.load(other, store)
    assert caught.value.exit_code == 4
    assert f"{(by - 1) / by:.2g}, in the strength of {place}" in str(caught.value)
    assert "--replace" in str(caught.value)
    assert dump(store) == before


def test_the_last_bit_of_a_strength_counts(store: GraphStore, run: Run, tmp_path: Path) -> None:
    def change(table: pd.DataFrame) -> None:
        table.loc[7, "strength"] = np.nextafter(table.strength[7], np.inf)

    ingest.load(run, store)
    with pytest.raises(ConflictError, match="e-16, in the strength"):
        ingest.load(copy_with_strengths(run, tmp_path / "other", change), store)


@pytest.mark.slow
def test_large_sections_are_read_back_in_pieces(
    store: GraphStore, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.verifying.INTERACTIONS_AT_ONCE", 4)  # one source a time, of four
    ingest.load(run, store)
    assert ingest.load(run, store).outcome == "unchanged"
    row = run.interactions.loc[7]
    place = f"{row.source_layer}/{row.source} > {row.target_layer}/{row.target}"
    with pytest.raises(ConflictError, match=f"in the strength of {place}"):
        ingest.load(copy_with_strengths(run, tmp_path / "other", stronger(2.0)), store)
    store.write(
        "MATCH (s:Feature {layer_index: 0}) WITH s LIMIT 1 MATCH (t:Feature {layer: 'layer/1'}) "
        "WITH s, t LIMIT 1 CREATE (x:Feature {id: 'x', run: s.run, layer_index: 0, index: 99})"
        "-[:INTERACTS {run: s.run, layer_index: 0, strength: 1.0}]->(t)"
    )
    with pytest.raises(ConflictError, match=r"layer\.0/99 >"):
        ingest.load(run, store)


@pytest.mark.slow
def test_labels_follow_the_folder(store: GraphStore, run: Run) -> None:
    ingest.load(run, store)
    before = dump(store)
    for layer, index, text in (("layer.0", 2, "mine"), ("layer/1", 1, "ours"), ("layer/1", 0, "c")):
        run.label(layer, index, text)
    report = ingest.load(run, store)
    assert (report.outcome, report.changed) == ("relabelled", True)
    assert str(report).startswith(f"Updated the labels of run {run.id}")
    assert comparable(dump(store)) == expected(run)
    assert dump(store) != before
    assert ingest.load(run, store).outcome == "unchanged"
    store.write("MATCH (f:Feature {index: 2, layer_index: 0}) SET f.label = 'theirs'")
    assert ingest.load(run, store).outcome == "relabelled"
    assert comparable(dump(store)) == expected(run)


@pytest.mark.slow
def test_labels_of_a_conflict_stay(store: GraphStore, run: Run, tmp_path: Path) -> None:
    ingest.load(run, store)
    before = dump(store)
    other = copy_with_strengths(run, tmp_path / "other", stronger(2.0))
    other.label("layer.0", 2, "mine")
    with pytest.raises(ConflictError, match="in the strength of"):
        ingest.load(other, store)
    assert dump(store) == before


@pytest.mark.slow
def test_a_load_that_goes_on_takes_the_labels_of_now(
    store: GraphStore, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest import filling

    def stop(*_: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(filling, "adopt_features", stop)
        with pytest.raises(InterruptedError):
            ingest.load(run, store)
    run.label("layer.0", 2, "mine")
    assert ingest.load(run, store).outcome in ("loaded", "resumed")
    assert comparable(dump(store)) == expected(run)


@pytest.mark.slow
def test_replacing_takes_the_new_numbers(store: GraphStore, run: Run, tmp_path: Path) -> None:
    other = copy_with_strengths(run, tmp_path / "other", stronger(2.0))
    ingest.load(run, store)
    assert ingest.load(other, store, replace=True).outcome == "replaced"
    assert comparable(dump(store)) == expected(other)
    assert ingest.load(other, store).outcome == "unchanged"


def test_replacing_what_is_not_there_or_equal(store: GraphStore, run: Run) -> None:
    assert ingest.load(run, store, replace=True).outcome == "loaded"
    assert ingest.load(run, store, replace=True).outcome == "unchanged"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "where"),
    [
        ("MATCH (:Feature)-[i:INTERACTS]->() WITH i LIMIT 1 DELETE i", "1, in the strength"),
        ("MATCH (:Feature)-[i:INTERACTS]->() WITH i LIMIT 1 SET i.strength = i.strength * 1.25",
         "0.2, in the strength"),
        ("MATCH (f:Feature {layer_index: 0, index: 1}) SET f.importance = f.importance * 1.25",
         "0.2, in importance"),
        ("MATCH (f:Feature {role: 'output'}) WITH f LIMIT 1 SET f.cost_to_outputs = 1.0",
         "1, in cost_to_outputs"),
        ("MATCH (f:Feature) WITH f LIMIT 1 DETACH DELETE f", "1, in"),
        ("MATCH (:Layer)-[h:HAS_FEATURE]->(f:Feature {layer_index: 0, index: 1}), "
         "(l:Layer {index: 1}) CREATE (l)-[:HAS_FEATURE]->(f) DELETE h",
         r"1, in owner of layer\.0/1"),
    ],
)  # fmt: skip
def test_damage_is_noticed_and_mended(store: GraphStore, run: Run, damage: str, where: str) -> None:
    ingest.load(run, store)
    good = undated(dump(store))
    store.write(damage)
    with pytest.raises(ConflictError, match=where):
        ingest.load(run, store)
    assert ingest.load(run, store, replace=True).outcome == "replaced"
    assert undated(dump(store)) == good


@pytest.mark.slow
def test_what_the_store_does_not_hold_is_never_complete(
    store: GraphStore, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One strength changes between the last batch and the check."""
    from ingest import filling

    def adopt_and_damage(graph: GraphStore, stored_as: str) -> None:
        graph.transact(
            lambda transaction: transaction.execute(
                "MATCH (:Feature)-[i:INTERACTS]->() WITH i LIMIT 1 SET i.strength = 7.5"
            )
        )

    with monkeypatch.context() as patch:
        patch.setattr(filling, "adopt_features", adopt_and_damage)
        with pytest.raises(StoreError, match="does not hold what was written"):
            ingest.load(run, store)
    assert store.execute("MATCH (r:Run {status: 'complete'}) RETURN r.id AS id") == []
    ingest.load(run, store)
    assert comparable(dump(store)) == expected(run)
