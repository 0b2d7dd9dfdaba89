"""A store that an older lib-graph filled becomes what a load of today makes, or is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

import ingest
import queries
from ingest.store import GraphStore, Transaction
from lib_graph.errors import StoreUnavailableError
from lib_graph.run import Run
from queries.cli.main import main
from tests.ingest.graphs import dump
from tests.synthetic import random_run

pytestmark = pytest.mark.slow
T = TypeVar("T")
TO_VERSION_1 = (
    "MATCH (s:Feature)-[c:CONSTANT]->(t:Feature) CREATE (s)-[:INTERACTS {strength: c.strength, "
    "stderr: c.stderr, effect: c.effect}]->(t) DELETE c",
    "MATCH (s:Feature)-[i:INTERACTS]->() SET i.run = s.run, i.layer_index = s.layer_index",
    "MATCH (r:Run) REMOVE r.schema_version",
)
OLD_INDEXES = (
    "CREATE INDEX interacts_strength IF NOT EXISTS FOR ()-[r:INTERACTS]-() ON (r.run, r.strength)",
    "CREATE INDEX feature_place IF NOT EXISTS FOR (n:Feature) ON (n.run, n.layer_index, n.index)",
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return random_run(tmp_path / "run", (4, 3, 3, 2), seed=1)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.upgrading.PIECE_ROWS", 5)


def make_old(store: GraphStore) -> None:
    """Make of everything in a store what version 1 of the graph had."""
    for text in TO_VERSION_1:
        store.write(text)
    if store.capabilities.kind == "neo4j":
        for text in OLD_INDEXES:
            store.write(text)


def types(store: GraphStore) -> set[tuple[str, str]]:
    """The pairs of a source's role and a type that there are between features."""
    text = "MATCH (s:Feature)-[r]->(:Feature) RETURN DISTINCT s.role AS role, type(r) AS type"
    return {(row["role"], row["type"]) for row in store.execute(text)}


def test_every_share_is_positive_and_every_cost_finite(store: GraphStore, run: Run) -> None:
    ingest.load(run, store)
    assert types(store) == {("constant", "CONSTANT"), ("feature", "INTERACTS")}
    [row] = store.execute(
        "MATCH ()-[r:INTERACTS]->() RETURN count(*) AS all, min(r.share) AS share, "
        "count(r.share) AS shares, count(r.cost) AS costs, max(r.cost) AS cost"
    )
    assert row["all"] == row["shares"] == row["costs"] == run.interactions.share.notna().sum()
    assert row["share"] > 0
    assert row["cost"] < float("inf")


def test_an_old_store_becomes_what_a_load_of_today_makes(
    store: GraphStore, store_target: str, run: Run, tmp_path: Path
) -> None:
    other = random_run(tmp_path / "other", (3, 3), seed=2)
    ingest.load(run, store)
    ingest.load(other, store)
    today = dump(store)
    make_old(store)
    assert types(store) == {("constant", "INTERACTS"), ("feature", "INTERACTS")}
    assert ingest.upgrade(store_target) == sorted([run.id, other.id])
    assert dump(store) == today
    assert ingest.upgrade(store) == []
    if store.capabilities.kind == "neo4j":
        names = {row["name"] for row in store.execute("SHOW INDEXES YIELD name RETURN name")}
        assert names.isdisjoint({"interacts_strength", "feature_place"})
        assert names >= {"feature_run", "feature_layer"}
    assert ingest.load(run, store).outcome == "unchanged"


def test_a_share_too_small_for_a_number_becomes_the_smallest(store: GraphStore, run: Run) -> None:
    ingest.load(run, store)
    make_old(store)
    store.write(
        "MATCH (:Feature)-[i:INTERACTS]->() WHERE i.share IS NOT NULL WITH i LIMIT 1 "
        "SET i.share = 0.0 REMOVE i.cost"
    )
    ingest.upgrade(store)
    [row] = store.execute("MATCH ()-[i:INTERACTS]->() RETURN min(i.share) AS s, max(i.cost) AS c")
    assert row["s"] == 5e-324
    assert row["c"] == pytest.approx(744.44, abs=0.01)


def test_an_old_store_is_refused_with_both_versions_and_the_command(
    store: GraphStore, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest.load(run, store)
    make_old(store)
    line = f"Run {run.id} in '{store.name}' has version 1 of the graph, and this lib-graph reads"
    command = f"lib-graph upgrade --store {store.name}"
    refused: list[Callable[[], object]] = [
        lambda: queries.open_graph(store),
        lambda: ingest.load(run, store),
    ]
    for refuse in refused:
        with pytest.raises(StoreUnavailableError) as caught:
            refuse()
        assert str(caught.value) == f"{line} version 2. Run: {command}"
    with pytest.raises(SystemExit) as left:
        main(["runs", "--store", store.name])  # what is there can be listed, and deleted
    assert left.value.code == 0
    assert run.id in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(command.split()[1:])
    assert capsys.readouterr().out == f"Upgraded run {run.id}, in {store.name}.\n"
    assert queries.open_graph(store).run.id == run.id


def test_where_there_is_no_store_none_is_begun(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="There is no store"):
        ingest.upgrade(str(tmp_path / "none.kgl"))
    assert not [*tmp_path.iterdir()]


def test_a_run_of_a_newer_lib_graph_is_refused_and_left(store: GraphStore, run: Run) -> None:
    ingest.load(run, store)
    store.write("MATCH (r:Run) SET r.schema_version = 3")
    before = dump(store)
    for refuse in (queries.open_graph, ingest.upgrade):
        with pytest.raises(StoreUnavailableError, match=r"reads version 2\. Update lib-graph"):
            refuse(store)
    assert dump(store) == before


def test_an_upgrade_that_is_cut_off_is_refused_and_goes_on(
    store: GraphStore, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every transaction in turn: none is left out, and the last sets the version."""
    ingest.load(run, store)
    today = dump(store)
    transact, after = store.transact, 0
    while True:
        make_old(store)
        left = after

        def stop(work: Callable[[Transaction], T]) -> T:
            nonlocal left
            if not left:
                raise KeyboardInterrupt
            left -= 1
            return transact(work)

        with monkeypatch.context() as patch:
            patch.setattr(store, "transact", stop)
            try:
                ingest.upgrade(store)
                break
            except KeyboardInterrupt:
                pass
        with pytest.raises(StoreUnavailableError, match="lib-graph upgrade"):
            queries.open_graph(store)
        assert ingest.upgrade(store) == [run.id]
        assert dump(store) == today
        after += 1
    assert after > 3


def test_a_load_that_an_older_lib_graph_left_begins_anew(store: GraphStore, run: Run) -> None:
    ingest.load(run, store)
    today = ingest.load(run, store)
    make_old(store)
    store.write("MATCH (r:Run) SET r.status = 'loading'")
    store.write("CREATE (:Checkpoint {id: $id, run: $id, made_from: 'old', done: 4})",
                {"id": run.id})  # fmt: skip
    assert ingest.upgrade(store) == []
    assert ingest.load(run, store).outcome == "loaded"
    assert types(store) == {("constant", "CONSTANT"), ("feature", "INTERACTS")}
    assert ingest.load(run, store) == today
