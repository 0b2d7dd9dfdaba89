from __future__ import annotations

import random
from itertools import pairwise
from math import exp, prod
from pathlib import Path

import pytest

import ingest
import queries
from ingest.store import GraphStore
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.run import Run
from queries.circuits.paths import Path as QueriedPath
from queries.circuits.paths import Paths
from queries.views.answers import ENDS, LONG, paths_view, short_id
from tests.loaded import load_once
from tests.queries.oracle import Oracle, Place
from tests.synthetic import random_run

SHAPES = [(3, 4, 3), (1, 5, 1, 4), (4, 1, 4), (5, 4, 5, 3), (2, 3, 2, 3, 2), (6, 2)]


def random_runs(folder: Path, count: int) -> list[Run]:
    """Return small runs of all kinds: with ties, with gaps, narrow, raw or not at the end."""
    return [
        random_run(
            folder / str(seed),
            SHAPES[seed % len(SHAPES)],
            density=(1.0, 0.6, 0.3)[seed % 3],
            ties=seed % 2 == 0,
            last="raw" if seed % 4 < 2 else "basis",
            seed=seed,
            run_id=f"{seed:012x}",
        )
        for seed in range(count)
    ]


def places(run: Run, layer: int) -> list[Place]:
    """Return a layer as a whole, and its first and last feature."""
    first = run.layers[layer].first_index
    return [(layer, None), (layer, first), (layer, first + run.layers[layer].features - 1)]


def all_ends(run: Run) -> list[tuple[Place, Place]]:
    last = len(run.layers) - 1
    layers = {(0, last), (0, last - 1), (1, last), (1, last - 1)}
    return [
        (source, target)
        for first, second in sorted(layers)
        if first < second
        for source in places(run, first)
        for target in places(run, second)
    ]


def text(run: Run, place: Place) -> str:
    return str(run.layers[place[0]].name if place[1] is None else Oracle(run).name(*place))


def assert_strongest(
    graph: queries.Graph, oracle: Oracle, ends: tuple[Place, Place], k: int, least: float
) -> None:
    source, target = (text(oracle.run, place) for place in ends)
    found = graph.paths(source=source, target=target, k=k, min_importance=least)
    expected = oracle.paths(*ends, min_importance=least)
    strengths = [path.strength for path in found.paths]
    assert strengths == pytest.approx(oracle.strongest(expected, k), rel=1e-12)
    assert len({path.path for path in found.paths}) == len(found)
    for path in found.paths:
        assert list(path.shares) == expected[path.path]
        assert path.strength == pytest.approx(prod(path.shares), rel=1e-12)
        assert exp(-path.cost) == pytest.approx(path.strength, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("count", [12, pytest.param(200, marks=pytest.mark.exhaustive)])
def test_the_strongest_paths_are_those_that_brute_force_finds(
    store: GraphStore, tmp_path: Path, count: int
) -> None:
    runs = random_runs(tmp_path, count)
    with store.writing():
        for run in runs:
            ingest.load(run, store)
    for number, run in enumerate(runs):
        oracle = Oracle(run)
        graph = queries.open_graph(store, run.id)
        choose = random.Random(number)
        for ends in choose.sample(all_ends(run), 8):
            k, least = choose.choice([1, 3, 10, 1000]), choose.choice([1e-6, 0.0, 0.05, 1.0])
            assert_strongest(graph, oracle, ends, k, least)


def test_ends_that_are_left_out_are_the_first_and_the_last_layer(
    store: GraphStore, tmp_path: Path
) -> None:
    run = random_run(tmp_path, (4, 3, 3))
    load_once(store, run)
    graph = queries.open_graph(store)
    assert graph.paths(k=5).paths == graph.paths(source="layer.0", target="layer.2", k=5).paths
    assert len(graph.paths(k=5)) == 5


def test_the_strongest_comes_first_and_of_equals_the_first_by_name(
    store: GraphStore, tmp_path: Path
) -> None:
    load_once(store, random_run(tmp_path, (4, 3, 3), ties=True))
    found = queries.open_graph(store).paths(k=1000).paths
    order = [(-path.strength, path.path) for path in found]
    assert order == sorted(order)
    assert len({path.strength for path in found}) < len(found)


def test_between_whole_outermost_layers_the_costs_that_are_stored_do(
    store: GraphStore, tmp_path: Path
) -> None:
    """Then one walk is all that runs, whatever number of paths is asked for."""
    load_once(store, random_run(tmp_path, (4, 3, 3), density=1.0))
    graph = queries.open_graph(store)
    for k in (1, 3, 20):
        found = graph.paths(k=k, min_importance=0)
        assert len(found) == k
        walks = [each for each in found.statements if "INTERACTS" in each.text]
        assert len(walks) == 1
        assert "cost_to_outputs" in walks[0].text or "cost_from_inputs" in walks[0].text


@pytest.mark.slow
def test_no_walk_asks_for_many_more_rows_than_there_are_paths_asked_for(
    store: GraphStore, tmp_path: Path
) -> None:
    """A walk whose ends are left out afterwards asks for more, which a server has no room for."""
    run = random_run(tmp_path, (8, 8, 8, 8), density=1.0, last="basis")
    load_once(store, run)
    last = run.features[run.features["layer_index"] == 3]["importance"]
    least = float(last.median() / last.max())
    graph, k = queries.open_graph(store), 1_500
    found = graph.paths(k=k, min_importance=least)
    ends = len({path.path[-1] for path in found.paths})
    assert 1 < ends < 8
    starts = run.features[run.features["layer_index"] == 0]["importance"]
    assert len(found) == (starts >= least * starts.max()).sum() * 8 * 8 * ends
    asked = [each.parameters["k"] for each in found.statements if "k" in each.parameters]
    assert asked == [k, k]


@pytest.mark.parametrize("last", ["raw", "basis"])
def test_all_paths_into_one_target_of_a_whole_graph_sum_to_1(
    store: GraphStore, tmp_path: Path, last: str
) -> None:
    run = random_run(tmp_path, (4, 3, 4, 2), density=1.0, last=last)
    load_once(store, run)
    graph = queries.open_graph(store)
    for target in ("layer/3/1", "layer.2/3", "layer/1/2"):
        paths = graph.paths(target=target, k=10_000, min_importance=0)
        assert sum(path.strength for path in paths.paths) == pytest.approx(1, rel=1e-12)


def test_a_raw_layer_ends_paths_in_every_output_whatever_its_importance(
    store: GraphStore, tmp_path: Path
) -> None:
    run = random_run(tmp_path, (3, 3), density=1.0)
    load_once(store, run)
    paths = queries.open_graph(store).paths(k=100, min_importance=1.0)
    assert {path.path[-1] for path in paths.paths} == {f"{run.id}/layer/1/{i}" for i in range(3)}
    assert {path.path[0] for path in paths.paths} == {f"{run.id}/layer.0/1"}


@pytest.mark.slow
def test_other_runs_in_the_store_do_not_matter(store: GraphStore, tmp_path: Path) -> None:
    run = random_run(tmp_path / "a", seed=1)
    ingest.load(run, store)
    alone = queries.open_graph(store).paths(k=20)
    ingest.load(random_run(tmp_path / "b", seed=2), store)
    assert queries.open_graph(store, run.id).paths(k=20).paths == alone.paths


def test_an_answer_says_what_ran_and_running_it_gives_the_answer(
    store: GraphStore, tmp_path: Path
) -> None:
    run = random_run(tmp_path)
    load_once(store, run)
    for ends in ({}, {"source": "layer.0/1"}, {"source": "layer/1/1", "target": "layer.2/1"}):
        found = queries.open_graph(store).paths(k=3, **ends)
        last = found.statements[-1]
        rows = store.execute(last.text, last.parameters)
        assert sorted(tuple(row["path"]) for row in rows) == sorted(p.path for p in found.paths)
        assert run.id not in last.text


def test_an_answer_is_a_frame_and_a_graph(store: GraphStore, tmp_path: Path) -> None:
    load_once(store, random_run(tmp_path))
    found = queries.open_graph(store).paths(k=4)
    frame = found.to_pandas()
    assert list(frame["strength"]) == [path.strength for path in found.paths]
    assert list(frame["path"][0]) == list(found.paths[0].path)
    graph = found.to_networkx()
    assert set(graph.edges) == set(found.pairs())
    for path in found.paths:
        for pair, share in zip(pairwise(path.path), path.shares, strict=True):
            assert graph.edges[pair]["share"] == share


@pytest.mark.slow
@pytest.mark.parametrize("layers", [LONG, LONG + 3])
def test_of_long_paths_a_person_sees_the_ends(layers: int, tmp_path: Path) -> None:
    ingest.load(random_run(tmp_path / "run", (2,) * layers, density=1.0), tmp_path / "graph.kgl")
    with queries.open_graph(tmp_path / "graph.kgl") as graph:
        paths = graph.paths(k=2)
    view, short = paths_view(paths), layers > LONG
    assert len(view.rows) == 2
    for (_, _, path, shares), truth in zip(view.rows, paths.paths, strict=True):
        features, numbers = path.split(" → "), shares.split()
        assert len(features) == (2 * ENDS + 1 if short else layers)
        first, last = map(short_id, truth.path[:: layers - 1])
        assert (features[0], features[-1]) == (first, f"{last} {truth.labels[-1]}")
        assert (f"… {layers - 2 * ENDS} more …" in features) == short
        assert (float(numbers[0]), float(numbers[-1])) == pytest.approx(
            truth.shares[:: layers - 2], abs=1e-3
        )
    assert ("--json" in view.below) == short
    assert ("only the ends are shown: to_pandas() has all." in repr(paths)) == short
    assert "--json" not in repr(paths)


def test_every_feature_of_a_short_path_has_its_label() -> None:
    """A path of an attribution graph says little by numbers."""
    run, labels = "0123456789ab", ('"sun"', "moon", 'Output " night"', "")
    ids = tuple(f"{run}/{i}/{8 - i}" for i in range(4))
    short, long = (Paths((QueriedPath(0.5, 0.7, ids[:n], (0.5,) * (n - 1), labels[:n]),))
                   for n in (3, 4))  # fmt: skip
    assert paths_view(short).rows[0][2] == '0/8 "sun" → 1/7 moon → 2/6 Output " night"'
    assert paths_view(long).rows[0][2] == "0/8 → 1/7 → 2/6 → 3/5"


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"k": 0}, UsageError, "Ask for at least 1"),
        ({"source": "layer.2", "target": "layer/1"}, UsageError, "must come before"),
        ({"source": "layer/1", "target": "layer/1"}, UsageError, "must come before"),
        ({"source": "layer/1/0"}, UsageError, "constant feature"),
        ({"source": "layer.0/77"}, NotFoundError, "Closest: 'layer.0/"),
        ({"target": "layer/33"}, NotFoundError, "Closest: 'layer/3'"),
        ({"min_importance": 1.5}, UsageError, "0 to 1"),
    ],
)
def test_what_cannot_be_asked_is_a_clear_error(
    store: GraphStore, tmp_path: Path, arguments: dict[str, str], error: type, says: str
) -> None:
    load_once(store, random_run(tmp_path))
    with pytest.raises(error, match=says):
        queries.open_graph(store).paths(**arguments)
