"""The interactions that carry most of the strength, held against their definition."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import queries
from ingest.store import GraphStore
from lib_graph.errors import UsageError
from lib_graph.run import Run
from queries.circuits.overview import Ranked
from tests.loaded import load_once
from tests.synthetic import random_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return random_run(tmp_path, (8, 6, 7, 4), seed=11)


@pytest.fixture
def graph(store: GraphStore, run: Run) -> queries.Graph:
    load_once(store, run)
    return queries.open_graph(store)


def by_definition(run: Run, share: float) -> dict[tuple[str, str], float]:
    """Return the interactions that are kept: one is, if those stronger carry less than the share.

    By section, out of features that are not constant; with what those before each carry.
    """
    kept = {}
    for rows in run.sections():
        rows = rows[rows["source"] > 0]
        total = rows["strength"].sum()
        for row in rows.itertuples():
            before = rows["strength"][rows["strength"] > row.strength].sum() / total
            if before < share - 1e-12:
                ends = f"{row.source_layer}/{row.source}", f"{row.target_layer}/{row.target}"
                kept[f"{run.id}/{ends[0]}", f"{run.id}/{ends[1]}"] = before
    return kept


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95, 1.0])
def test_the_strongest_of_each_section_are_kept(graph, run, share):
    found = graph.overview(share=share)
    rows = found.interactions
    expected = by_definition(run, share)
    pairs = list(zip(rows["source"], rows["target"], strict=True))
    assert dict(zip(pairs, rows["kept_at"], strict=True)) == pytest.approx(expected, abs=1e-9)
    assert set(found.features["id"]) == {end for pair in pairs for end in pair}
    assert not found.cut
    assert found.features_of == sum(layer.features for layer in run.layers)
    assert found.interactions_of == int((run.interactions["source"] > 0).sum())
    assert share <= found.kept or share == 1.0
    assert found.kept == pytest.approx(1.0) or share < 1


@pytest.mark.parametrize("limit", [1, 5, 20])
def test_the_limit_keeps_what_the_smallest_share_keeps(graph, run, limit):
    found = graph.overview(share=1.0, limit=limit)
    everything = graph.overview(share=1.0).interactions
    assert found.cut
    assert len(found.interactions) == limit
    assert found.interactions.equals(everything.head(limit))


def test_a_limit_that_cuts_nothing_says_so(graph, run):
    count = len(by_definition(run, 0.5))
    assert not graph.overview(share=0.5, limit=count).cut
    assert graph.overview(share=0.5, limit=count - 1).cut


def test_one_ranking_serves_all_shares(graph):
    ranked = graph.ranked()
    for share in (0.3, 0.9):
        one, other = graph.overview(share=share, ranked=ranked), graph.overview(share=share)
        assert one.json_value() == other.json_value()


@pytest.mark.slow
@pytest.mark.parametrize("limit", [7, 5000])
def test_the_counts_say_what_each_share_keeps(graph, limit):
    ranked = graph.ranked(limit=limit)
    found = [graph.overview(share=percent / 100, ranked=ranked) for percent in range(101)]
    expected = [None if each.cut else len(each.interactions) for each in found]
    assert ranked.counts() == expected
    assert (None in expected) == (limit == 7)


def test_a_share_keeps_what_begins_below_it() -> None:
    ranked = Ranked("0" * 12, pd.DataFrame({"kept_at": [0.0, 0.25, 0.5]}), 0.75, 4, 5, 1, {0: 2.0})
    counts = ranked.counts()
    assert [counts[at] for at in (0, 1, 25, 26, 50, 51, 75, 76)] == [0, 1, 1, 2, 2, 3, 3, None]


def test_what_cannot_be_used(graph):
    with pytest.raises(UsageError, match=r"The share is 1\.5\. Give a number from 0 to 1\."):
        graph.overview(share=1.5)
    with pytest.raises(UsageError, match="The limit is 0"):
        graph.overview(limit=0)


def test_of_one_section_it_is_known_where_others_come_in(store: GraphStore, tmp_path: Path) -> None:
    run = random_run(tmp_path / "one", (6, 5), seed=3)
    load_once(store, run)
    graph = queries.open_graph(store)
    (rows,) = run.sections()
    strength = rows["strength"][rows["source"] > 0].sort_values(ascending=False)
    assert len(strength) > 4
    ranked = graph.ranked(limit=4)
    fifth = float(strength.iloc[:4].sum() / strength.sum())
    assert ranked.next_at == pytest.approx(fifth)
    for share, cut in ((fifth * 1.01, True), (fifth * 0.99, False)):
        assert graph.overview(share=share, ranked=ranked).cut is cut
