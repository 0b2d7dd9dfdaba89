from __future__ import annotations

from pathlib import Path

import pytest

import ingest
import queries
from ingest.store import GraphStore
from lib_graph.errors import NotFoundError, UsageError
from queries.asking.runs import list_runs
from tests.loaded import load_once
from tests.synthetic import random_run

IDS = ("0a0000000001", "0a0000000002", "0b0000000003")


@pytest.fixture
def three_runs(store: GraphStore, tmp_path: Path) -> GraphStore:
    """A store with three runs, loaded one after the other; two share a name."""
    runs = (
        random_run(tmp_path / str(seed), seed=seed, run_id=run_id, name=name)
        for seed, (run_id, name) in enumerate(zip(IDS, ("lib", "pca", "pca"), strict=True))
    )
    load_once(store, *runs)
    return store


def test_runs_are_listed_with_the_newest_first(three_runs: GraphStore) -> None:
    runs = list_runs(three_runs)
    assert [run.id for run in runs] == list(IDS[::-1])
    assert [run.name for run in runs] == ["pca", "pca", "lib"]
    table = queries.open_graph(three_runs).runs()
    assert [row["id"] for row in table.records()] == list(IDS[::-1])
    assert {row["status"] for row in table.records()} == {"complete"}


def test_a_run_folder_is_told_to_be_none_of_the_store(
    three_runs: GraphStore, tmp_path: Path
) -> None:
    random_run(tmp_path / "my run", seed=5)
    with pytest.raises(
        UsageError, match=r"is a run folder\. .* by its name or id, which 'lib-graph"
    ):
        queries.open_graph(three_runs, str(tmp_path / "my run"))
    (tmp_path / "my run" / "manifest.json").unlink()
    with pytest.raises(NotFoundError, match=r"Run '.*my run' not found"):
        queries.open_graph(three_runs, str(tmp_path / "my run"))


def test_the_newest_run_is_the_default_and_the_greater_id_decides(three_runs: GraphStore) -> None:
    assert queries.open_graph(three_runs).run.id == IDS[2]
    three_runs.write("MATCH (r:Run) SET r.loaded = '2026-01-01T00:00:00'")
    assert queries.open_graph(three_runs).run.id == IDS[2]
    three_runs.write("MATCH (r:Run {id: $id}) SET r.loaded = '2027'", {"id": IDS[0]})
    assert queries.open_graph(three_runs).run.id == IDS[0]


def test_a_run_of_one_input_is_never_the_default(three_runs: GraphStore, tmp_path: Path) -> None:
    trace = random_run(tmp_path / "trace", seed=7, run_id="0c0000000004", base=IDS[0], name="trace")
    ingest.load(trace, three_runs)
    assert list_runs(three_runs)[0].id == trace.id
    assert queries.open_graph(three_runs).run.id == IDS[2]
    assert queries.open_graph(three_runs, "trace").run.id == trace.id
    for run in IDS:
        ingest.delete(run, three_runs)
    with pytest.raises(
        UsageError, match=r"All runs here are of one input.* 0c0000000004 \(trace\)"
    ):
        queries.open_graph(three_runs)


@pytest.mark.parametrize("wanted", [IDS[0], "0a0000000001", "lib"])
def test_a_run_is_found_by_id_and_name(three_runs: GraphStore, wanted: str) -> None:
    assert queries.open_graph(three_runs, wanted).run.id == IDS[0]


def test_a_run_is_found_by_the_beginning_of_its_id(three_runs: GraphStore) -> None:
    assert queries.open_graph(three_runs, "0b").run.id == IDS[2]


@pytest.mark.parametrize(("wanted", "named"), [("0a", IDS[:2]), ("pca", IDS[1:])])
def test_what_fits_several_runs_names_them(
    three_runs: GraphStore, wanted: str, named: tuple[str, str]
) -> None:
    with pytest.raises(UsageError) as error:
        queries.open_graph(three_runs, wanted)
    assert all(name in str(error.value) for name in named)


def test_an_unknown_run_names_the_closest(three_runs: GraphStore) -> None:
    with pytest.raises(NotFoundError, match="Closest: 'lib'"):
        queries.open_graph(three_runs, "libb")
    with pytest.raises(NotFoundError, match=IDS[2]):
        queries.open_graph(three_runs, "0b000000ffff")


def test_an_unfinished_run_is_not_there_unless_asked_for(three_runs: GraphStore) -> None:
    three_runs.write("MATCH (r:Run {id: $id}) SET r.status = 'loading'", {"id": IDS[2]})
    assert queries.open_graph(three_runs).run.id == IDS[1]
    assert IDS[2] not in [run.id for run in list_runs(three_runs)]
    assert IDS[2] in [run.id for run in list_runs(three_runs, unfinished=True)]
    with pytest.raises(NotFoundError):
        queries.open_graph(three_runs, IDS[2])


def test_a_store_without_runs_says_how_to_get_one(store: GraphStore) -> None:
    store.ensure_schema()
    with pytest.raises(NotFoundError, match=r"There is no run at all.*ingest"):
        queries.open_graph(store)
    assert list_runs(store) == []


def test_a_store_that_was_opened_for_a_graph_is_closed_with_it(
    three_runs: GraphStore, store_target: str
) -> None:
    with queries.open_graph(store_target) as graph:
        assert graph.run.id == IDS[2]
        assert graph.store is not three_runs
    assert list_runs(three_runs)
