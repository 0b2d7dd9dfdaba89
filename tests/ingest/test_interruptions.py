"""Loads, replacements and deletions that are cut off anywhere, and gone on with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pytest

import ingest
from ingest.contents import Contents
from ingest.filling import Filling
from ingest.store import GraphStore, Transaction, open_store
from lib_graph.errors import ConflictError, NotFoundError, StoreUnavailableError
from lib_graph.run import Run
from tests.ingest.graphs import comparable, copy_with_strengths, dump, expected
from tests.synthetic import random_run

pytestmark = pytest.mark.slow

T = TypeVar("T")
COMPLETE = "MATCH (r:Run {status: 'complete'}) RETURN r.id AS id"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return random_run(tmp_path / "run", (3, 3, 2), seed=1)


@pytest.fixture
def other(run: Run, tmp_path: Path) -> Run:
    """The same run id with other numbers."""

    def change(table: pd.DataFrame) -> None:
        table["strength"] *= 1.5

    return copy_with_strengths(run, tmp_path / "other", change)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("ingest.pieces", "ingest.filling", "ingest.deleting"):
        monkeypatch.setattr(f"{module}.PIECE_ROWS", 9)
    monkeypatch.setattr("ingest.replacing.FEATURES_AT_ONCE", 4)


class Cut(BaseException):
    """An interruption, as Ctrl-C is one."""


def fail_after(store: GraphStore, monkeypatch: pytest.MonkeyPatch, transactions: int) -> None:
    """Let the store do some transactions and then fail."""
    whole, left = store.transact, [transactions]

    def transact(work: Callable[[Transaction], T]) -> T:
        if left[0] == 0:
            raise Cut
        left[0] -= 1
        return whole(work)

    monkeypatch.setattr(store, "transact", transact)


@pytest.fixture(params=[4, pytest.param(1, marks=pytest.mark.exhaustive)])
def every(request: pytest.FixtureRequest) -> int:
    """Which transactions a cut comes before: every one, or every fourth."""
    return int(request.param)


def cut_everywhere(
    store: GraphStore,
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[[], object],
    work: Callable[[], object],
    check: Callable[[int], None],
    every: int = 1,
) -> int:
    """Do `work` with the store failing before `every` one of its transactions; count them.

    Before each time the store is emptied and prepared; `check(n)` follows each cut. The count is
    rounded up to a multiple of `every`.
    """
    for transactions in range(0, 1000, every):
        store.write("MATCH (n) DETACH DELETE n")
        prepare()
        with monkeypatch.context() as patch:
            fail_after(store, patch, transactions)
            try:
                work()
            except Cut:
                pass
            else:
                return transactions
        check(transactions)
    raise AssertionError("it never came through")


def complete(store: GraphStore) -> list[str]:
    return [row["id"] for row in store.execute(COMPLETE)]


def test_a_load_goes_on_where_it_was_cut_off(
    store: GraphStore, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = []

    def check(transactions: int) -> None:
        assert complete(store) == []
        outcomes.append(ingest.load(run, store).outcome)
        assert comparable(dump(store)) == expected(run)

    count = cut_everywhere(store, monkeypatch, int, lambda: ingest.load(run, store), check)
    assert count >= 8
    if store.capabilities.atomic:
        assert set(outcomes) == {"loaded"}
    else:
        assert outcomes == ["loaded"] * 2 + ["resumed"] * (count - 2)


def test_what_is_done_is_not_done_again(
    store: GraphStore, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_up_to(transactions: int) -> int:
        with monkeypatch.context() as patch:
            fail_after(store, patch, transactions)
            with pytest.raises(Cut):
                ingest.load(run, store)
        return len(dump(store)[1])

    first, claim_only = load_up_to(5), load_up_to(1)
    assert first == claim_only
    assert (first == 0) is store.capabilities.atomic  # an embedded file changes whole or not


def test_a_replacement_never_loses_both(
    store: GraphStore, run: Run, other: Run, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    def check(transactions: int) -> None:
        interactions = store.execute("MATCH ()-[i:INTERACTS|CONSTANT]->() RETURN count(i) AS n")[0][
            "n"
        ]
        if complete(store):
            old = store.execute(
                "MATCH ({run: $run})-[i:INTERACTS|CONSTANT]->() RETURN i.strength AS s",
                {"run": run.id},
            )
            assert sorted(row["s"] for row in old) == sorted(run.interactions.strength)
        else:
            assert interactions >= len(other.interactions)
        ingest.load(other, store, replace=True)
        assert comparable(dump(store)) == expected(other)

    count = cut_everywhere(
        store,
        monkeypatch,
        prepare=lambda: ingest.load(run, store),
        work=lambda: ingest.load(other, store, replace=True),
        check=check,
        every=every,
    )
    assert count > 8
    assert comparable(dump(store)) == expected(other)


def test_a_replacement_can_also_be_finished_without_replace(
    store: GraphStore, run: Run, other: Run, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    def check(transactions: int) -> None:
        if not complete(store):
            ingest.load(other, store)
            assert comparable(dump(store)) == expected(other)

    cut_everywhere(
        store,
        monkeypatch,
        prepare=lambda: ingest.load(run, store),
        work=lambda: ingest.load(other, store, replace=True),
        check=check,
        every=every,
    )


def test_a_third_version_may_come_after_a_replacement_was_cut_off(
    store: GraphStore, run: Run, other: Run, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    def check(transactions: int) -> None:
        ingest.load(run, store, replace=True)
        found = comparable(dump(store))
        nodes = [node for node in found[0] if "~" not in node["properties"]["id"]]
        relationships = [r for r in found[1] if "~" not in r["source"] + r["target"]]
        assert (nodes, relationships) == expected(run)

    cut_everywhere(
        store,
        monkeypatch,
        prepare=lambda: ingest.load(run, store),
        work=lambda: ingest.load(other, store, replace=True),
        check=check,
        every=every,
    )


def test_other_numbers_after_a_load_was_cut_off(
    store: GraphStore, run: Run, other: Run, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """Nobody has seen the first, so the second simply takes its place."""

    def check(transactions: int) -> None:
        ingest.load(other, store)
        assert comparable(dump(store)) == expected(other)

    cut_everywhere(store, monkeypatch, int, lambda: ingest.load(run, store), check, every)


def test_a_deletion_leaves_nothing_and_touches_no_other_run(
    store: GraphStore, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    neighbour = random_run(tmp_path / "neighbour", (3, 2), seed=9)

    def check(transactions: int) -> None:
        hidden = transactions > 0 and not store.capabilities.atomic
        assert (run.id in complete(store)) is not hidden
        assert neighbour.id in complete(store)
        ingest.delete(run.id, store)
        assert comparable(dump(store)) == expected(neighbour)

    def prepare() -> None:
        ingest.load(run, store)
        ingest.load(neighbour, store)
        store.write(
            "MATCH (f:Feature {run: $run}) WITH f LIMIT 1 CREATE (f)-[:IN_COMMUNITY]->"
            "(:Community {id: 'c', run: $run})",
            {"run": run.id},
        )
        store.write(
            "MATCH (f:Feature {run: $run}) WITH f LIMIT 1 CREATE "
            "(:Circuit {id: 'k', run: $run})-[:CONTAINS]->(f)",
            {"run": run.id},
        )

    cut_everywhere(store, monkeypatch, prepare, lambda: ingest.delete(run.id, store), check, every)
    assert comparable(dump(store)) == expected(neighbour)


def test_a_load_after_a_deletion_that_was_cut_off(
    store: GraphStore, run: Run, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    def check(transactions: int) -> None:
        ingest.load(run, store)
        assert comparable(dump(store)) == expected(run)

    cut_everywhere(
        store,
        monkeypatch,
        prepare=lambda: ingest.load(run, store),
        work=lambda: ingest.delete(run.id, store),
        check=check,
        every=every,
    )


def test_deleting_also_takes_what_waits_to_replace(
    store: GraphStore, run: Run, other: Run, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    def check(transactions: int) -> None:
        ingest.delete(run.id, store)
        assert dump(store) == ([], [])

    cut_everywhere(
        store,
        monkeypatch,
        prepare=lambda: ingest.load(run, store),
        work=lambda: ingest.load(other, store, replace=True),
        check=check,
        every=every,
    )


def test_deleting_what_is_not_there_names_the_closest(store: GraphStore, run: Run) -> None:
    ingest.load(run, store)
    with pytest.raises(NotFoundError, match=run.id):
        ingest.delete(f"{run.id[:-1]}x", store)


class TakeOver:
    """Progress in which another process begins the same load."""

    def __init__(self, run: Run, target: str) -> None:
        self._run, self._target, self._left = run, target, 3
        self.met: BaseException | str | None = None

    @contextmanager
    def stage(self, name: str, total: int):  # type: ignore[no-untyped-def]
        yield self._advance

    def _advance(self, done: int) -> None:
        self._left -= 1
        if self._left == 0:
            try:
                self.met = ingest.load(self._run, self._target).outcome
            except StoreUnavailableError as error:
                self.met = error

    def say(self, line: str) -> None:
        pass


def test_of_two_loads_at_once_one_wins(store: GraphStore, store_target: str, run: Run) -> None:
    progress = TakeOver(run, store_target)
    if store.capabilities.atomic:
        assert ingest.load(run, store, progress=progress).outcome == "loaded"
        assert isinstance(progress.met, StoreUnavailableError)
        assert progress.met.exit_code == 3
    else:
        with pytest.raises(ConflictError, match="took over"):
            ingest.load(run, store, progress=progress)
        assert progress.met == "resumed"
    with open_store(store_target) as reader:
        assert comparable(dump(reader)) == expected(run)


def test_a_load_stops_while_the_other_that_took_over_is_still_at_work(
    store: GraphStore, run: Run
) -> None:
    contents = Contents.of(run)
    first, second = (Filling(store, contents, run.id) for _ in range(2))
    store.transact(first._claim)
    store.transact(second._claim)
    with pytest.raises(ConflictError, match="took over"):
        store.transact(first._hold)
    assert store.transact(second._hold)["done"] == 0
