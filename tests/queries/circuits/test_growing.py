from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ingest
import queries
from ingest.store import GraphStore
from lib_graph.errors import UsageError
from tests.queries.circuits.test_paths import text
from tests.queries.growth import Net
from tests.queries.oracle import Oracle, Place
from tests.synthetic import random_run

ENDS: list[tuple[Place, Place]] = [((0, None), (3, 1)), ((0, 2), (3, None)), ((1, None), (2, 1))]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(ENDS)))
def test_a_circuit_grows_as_it_is_defined(store: GraphStore, tmp_path: Path, number: int) -> None:
    source, target = ENDS[number]
    run = random_run(tmp_path, (4, 3, 4, 3), density=0.8, seed=number, ties=number == 1)
    ingest.load(run, store)
    graph, oracle = queries.open_graph(store, run.id), Oracle(run)
    ends = {"source": text(run, source), "target": text(run, target)}
    everything = graph.circuit(**ends, min_share=0.0)
    least = target[0] - source[0]
    assert len(everything) > least
    for size in {least, least + 1, 7, len(everything) - 1, len(everything), 1000}:
        found = graph.grow_circuit(**ends, size=size)
        *_, circuit = Net.of(oracle, source, target).grown(size)
        assert set(found.pairs()) == {(oracle.name(*s), oracle.name(*t)) for s, t in circuit}
        assert ("shortfall" in found.query) == (len(found) < size)
    assert set(found.pairs()) == set(everything.pairs())


@pytest.mark.parametrize(
    "depth", [3, pytest.param(10, marks=pytest.mark.slow), pytest.param(25, marks=pytest.mark.slow)]
)
def test_a_circuit_has_as_many_interactions_as_were_asked_for(
    store: GraphStore, tmp_path: Path, depth: int
) -> None:
    run = random_run(tmp_path, (6,) * depth, density=1.0)
    ingest.load(run, store)
    graph = queries.open_graph(store)
    for size in {depth - 1, depth, 9 + depth, 40}:
        found = graph.grow_circuit(target=f"{run.layers[-1].name}/5", size=size)
        assert len(found) == size
        assert "shortfall" not in found.query
        assert found.features["layer_index"].nunique() == depth
        sources, targets = (set(found.interactions[end]) for end in ("source", "target"))
        inner = found.features[found.features["layer_index"].between(1, depth - 2)]
        assert set(inner["id"]) == sources & targets  # so every interaction is on a whole path


@pytest.fixture
def sparse(store_target: str, tmp_path: Path) -> str:
    """A store with a run of two paths, apart from each other, that can be extended by little."""
    pairs = [{(1, 1), (2, 2)}, {(1, 1), (2, 2)}, {(1, 0), (2, 1), (2, 2)}]
    ingest.load(random_run(tmp_path / "run", (2, 2, 2, 3), pairs=pairs), store_target)
    return store_target


@pytest.mark.parametrize(
    ("arguments", "found", "says"),
    [
        (["--target", "layer/3", "--size", 7], 7, ""),
        (["--target", "layer/3", "--size", 3], 3, ""),
        (
            ["--target", "layer/3/0", "--size", 40],
            3,
            "40 interactions were asked for; all paths from 'layer.0' to 'layer/3/0' together have "
            "these 3.",
        ),
        (["--target", "layer/3", "--size", 6], 6, ""),
        (
            ["--source", "layer.0/1", "--target", "layer/3/1", "--size", 5],
            0,
            "5 interactions were asked for, but no path leads from 'layer.0/1' to 'layer/3/1'.",
        ),
        (
            ["--target", "layer.2", "--size", 3],
            2,
            "3 interactions were asked for; these are 2, to which the next path would add 2. All "
            "paths from 'layer.0' to 'layer.2' together have 4.",
        ),
    ],
)
def test_what_a_circuit_lacks_is_said(
    cli: Callable[..., Any], sparse: str, arguments: list[str], found: int, says: str
) -> None:
    shown = cli("circuit", *arguments, "--store", sparse, "--json", "-q")
    assert (shown.code, shown.err.strip()) == (0, says)
    value = json.loads(shown.out)
    assert len(value["interactions"]) == found
    assert value["query"].get("shortfall", "") == says
    assert value["query"]["size"] == arguments[-1]


def test_a_circuit_without_a_path_is_no_matter_of_shares(
    cli: Callable[..., Any], sparse: str
) -> None:
    ends = ["--source", "layer.0/1", "--target", "layer/3/1", "--store", sparse]
    assert cli("circuit", *ends, "--size", 5).out == "There is no such path.\n"
    assert "Try a smaller --min-share" in cli("circuit", *ends).out


def test_what_cannot_grow_is_a_clear_error(tmp_path: Path) -> None:
    ingest.load(random_run(tmp_path / "run"), tmp_path / "graph.kgl")
    with queries.open_graph(tmp_path / "graph.kgl") as graph:
        with pytest.raises(UsageError, match=r"is 0\. Ask for at least 1: .* from 'layer\.2' to"):
            graph.grow_circuit(source="layer.2", target="layer/3/1", size=0)
        with pytest.raises(UsageError, match=r"The size is 2\. Ask for at least 3: "):
            graph.grow_circuit(target="layer/3/1", size=2)
        with pytest.raises(UsageError, match="must come before"):
            graph.grow_circuit(source="layer/3", target="layer/1")
