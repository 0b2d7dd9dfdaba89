"""Strongest paths of which few take the same interaction, against brute force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from math import log, prod
from pathlib import Path
from typing import Any

import pytest

import queries
from ingest.store import GraphStore
from lib_graph.errors import UsageError
from lib_graph.run import Run
from tests.loaded import load_once
from tests.queries.circuits.test_paths import all_ends, text
from tests.queries.oracle import Oracle
from tests.synthetic import random_run


def by_brute_force(
    paths: dict[tuple[str, ...], list[float]], k: int, most: int
) -> list[tuple[str, ...]]:
    """Take all paths in order, each unless it has an interaction that is used up."""
    order = sorted(paths, key=lambda path: (round(-sum(map(log, paths[path])), 10), path))
    used: Counter[tuple[str, str]] = Counter()
    taken: list[tuple[str, ...]] = []
    for path in order:
        if len(taken) < k and all(used[step] < most for step in pairwise(path)):
            taken.append(path)
            used.update(pairwise(path))
    return taken


@pytest.fixture(params=[False, True], ids=["", "ties"])
def run(request: pytest.FixtureRequest, store: GraphStore, tmp_path: Path) -> Run:
    run = random_run(tmp_path / "run", seed=4, widths=(3, 4, 3, 3), ties=request.param)
    load_once(store, run)
    return run


@pytest.mark.slow
@pytest.mark.parametrize("most", [1, 2, 5])
def test_distinct_paths_are_those_of_brute_force(store: GraphStore, run: Run, most: int) -> None:
    graph, oracle = queries.open_graph(store, run.id), Oracle(run)
    fewer = 0
    for source, target in all_ends(run)[::3]:
        every = oracle.paths(source, target)
        wanted = by_brute_force(every, 12, most)
        found = graph.paths(source=text(run, source), target=text(run, target), k=12, distinct=most)
        assert [path.path for path in found.paths] == wanted
        for path in found.paths:
            assert path.shares == pytest.approx(every[path.path])
            assert path.strength == pytest.approx(prod(path.shares))
            assert path.cost == pytest.approx(-log(path.strength))
        assert len(found.statements) >= 2
        fewer += len(wanted) < min(12, len(every))
    assert (fewer > 0) == (most < 5)


def test_what_allows_no_path_is_a_clear_error(store: GraphStore, run: Run) -> None:
    graph = queries.open_graph(store, run.id)
    with pytest.raises(UsageError, match="0 paths through an interaction are none"):
        graph.paths(distinct=0)
    with pytest.raises(UsageError, match="The number of paths is 0"):
        graph.paths(k=0, distinct=1)
    with pytest.raises(UsageError, match="No path leads from"):
        graph.paths(source="layer/3", target="layer.0", distinct=1)


@pytest.mark.slow
def test_paths_into_a_whole_layer_fan_out_only_if_asked(
    store: GraphStore, store_target: str, run: Run, cli: Callable[..., Any]
) -> None:
    graph, at = queries.open_graph(store), ("--store", store_target, "-k", "6")
    once = cli("paths", *at).out
    assert once == cli("paths", *at, "--target", "layer/3", "--distinct", 1).out
    assert "at most 1 of these paths" in once
    assert once != cli("paths", *at, "--distinct", 0).out
    alone = cli("paths", *at, "--target", "layer/3/1").out
    assert alone == cli("paths", *at, "--target", "layer/3/1", "--distinct", 0).out
    assert len(alone.splitlines()) == 1 + len(graph.paths(target="layer/3/1", k=6))
