"""A store after deletions: the same answers, and the space comes back."""

from __future__ import annotations

from pathlib import Path

import kglite
import pytest

import ingest
import queries
from ingest.store import GraphStore
from ingest.store.embedded import EmbeddedStore
from lib_graph.errors import StoreUnavailableError, UsageError
from lib_graph.run import Run
from queries.cli.main import main
from tests.ingest.graphs import dump_at
from tests.synthetic import random_run

NAMED = ("hubs", "layer_totals", "weak_inputs")


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    return [
        random_run(tmp_path / f"run-{seed}", (20, 20, 20), density=1.0, seed=seed)
        for seed in range(4)
    ]


def answers(store: str, run: Run) -> bytes:
    """What is answered about a run, from columns where there are some, and in Cypher."""
    with queries.open_graph(store, run.id) as graph:
        tables = [
            graph.interactions(limit=10_000, constants=True).to_pandas(),
            graph.features().to_pandas(),
            graph.paths(k=20).to_pandas(),
            graph.communities().to_pandas(),
            *(graph.query(name).to_pandas() for name in NAMED),
            graph.cypher(
                "MATCH (s:Feature {run: $run})-[i]->(t:Feature) RETURN s.id, type(i), t.id, "
                "i.strength, i.stderr, i.effect, i.share, i.cost ORDER BY s.id, t.id",
                {"run": run.id},
            ).to_pandas(),
        ]
    return b"\n".join(table.to_csv().encode() for table in tables)


@pytest.mark.slow
@pytest.mark.parametrize("deleted", [0, 1])
def test_of_four_runs_one_deleted_leaves_the_bytes_of_the_others_answers(
    store: GraphStore, store_target: str, runs: list[Run], deleted: int
) -> None:
    for run in runs:
        ingest.load(run, store)
    left = [run for run in runs if run is not runs[deleted]]
    before = [answers(store_target, run) for run in left]
    ingest.delete(runs[deleted].id, store)
    assert [answers(store_target, run) for run in left] == before


def gaps(file: Path) -> int:
    """Places of relationships in the file that nothing is at."""
    return int(kglite.load(str(file)).graph_info()["edge_tombstones"])


@pytest.mark.slow
def test_the_space_of_a_deleted_run_comes_back(tmp_path: Path, runs: list[Run]) -> None:
    file, never = tmp_path / "graph.kgl", tmp_path / "never.kgl"
    gone, *left = runs
    for run in runs:
        ingest.load(run, file)
    for run in left:
        ingest.load(run, never)
    whole = EmbeddedStore(file).size()
    ingest.delete(gone.id, file)
    before, dumped = [answers(str(file), run) for run in left], dump_at(str(file))
    assert gaps(file) >= len(gone.interactions)
    report = ingest.compact(file)
    assert gaps(file) == 0
    assert report.after == pytest.approx(EmbeddedStore(never).size(), rel=0.02)
    assert report.after < 0.8 * whole
    assert dump_at(str(file)) == dumped
    assert [answers(str(file), run) for run in left] == before


def test_a_store_without_gaps_is_left_as_it_is(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "graph.kgl"
    ingest.load(runs[0], file)
    before = dump_at(str(file))
    with pytest.raises(SystemExit) as left:
        main(["compact", "--store", str(file)])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"{file} takes ")
    assert dump_at(str(file)) == before


def test_there_is_nothing_to_compact_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="There is no store"):
        ingest.compact(tmp_path / "none.kgl")
    assert not [*tmp_path.iterdir()]


@pytest.mark.neo4j
def test_a_server_does_it_itself(store: GraphStore) -> None:
    if store.capabilities.kind == "embedded":
        return
    with pytest.raises(UsageError, match="by itself"):
        ingest.compact(store)
