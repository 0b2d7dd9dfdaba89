from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import queries
from ingest.store import GraphStore
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.run import Run
from lib_graph.run.circuit import FEATURE_COLUMNS, INTERACTION_COLUMNS
from tests.loaded import load_once
from tests.synthetic import random_run

NUMBERS = ["source", "target", "strength", "stderr", "effect", "share"]


def stored_interactions(run: Run) -> pd.DataFrame:
    """Return the interactions of a run folder as queries name them, the strongest first."""
    frame = run.interactions
    frame["constant"] = frame["source"] == 0
    for end in ("source", "target"):
        frame[end] = run.id + "/" + frame[f"{end}_layer"] + "/" + frame[end].astype(str)
    return frame.sort_values(["strength", "source", "target"], ascending=[False, True, True])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return random_run(tmp_path, (5, 4, 6, 3), ties=True, seed=3)


@pytest.fixture
def graph(store: GraphStore, run: Run) -> queries.Graph:
    load_once(store, run)
    return queries.open_graph(store)


def test_layers_are_those_of_the_run(graph: queries.Graph, run: Run) -> None:
    assert [(each.index, each.name, each.width, each.features) for each in graph.layers] == [
        (each.index, each.name, each.width, each.features) for each in run.layers
    ]


def test_features_are_those_of_the_run(graph: queries.Graph, run: Run) -> None:
    frame = graph.features().to_pandas()
    assert tuple(frame.columns) == FEATURE_COLUMNS
    for name in ("layer", "layer_index", "index", "role"):
        assert list(frame[name]) == list(run.features[name])
    for name in ("importance", "variance"):
        expected = run.features[name].astype(float).reset_index(drop=True)
        pd.testing.assert_series_equal(frame[name].astype(float), expected)
    assert list(frame["label"]) == list(run.features["label"].fillna(""))


def test_the_first_features_are_those_that_all_begin_with(graph: queries.Graph) -> None:
    every = graph.features(sort="importance").frame
    assert graph.features(sort="importance", limit=3).frame.equals(every.head(3))
    with pytest.raises(UsageError, match="limit is 0"):
        graph.features(limit=0)


def test_features_of_a_layer_can_be_sorted(graph: queries.Graph) -> None:
    frame = graph.features(layer="layer/1", sort="importance").frame
    assert set(frame["layer"]) == {"layer/1"}
    assert len(frame) == 5
    assert frame["importance"].dropna().is_monotonic_decreasing
    assert frame["role"].iloc[-1] == "constant"
    with pytest.raises(UsageError, match="colour"):
        graph.features(sort="colour")
    with pytest.raises(NotFoundError, match="Closest: 'layer/1'"):
        graph.features(layer="layer1")


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ({}, lambda f: ~f["constant"]),
        ({"constants": True}, lambda f: f["constant"] | True),
        ({"source": "layer/1"}, lambda f: (f["source_layer"] == "layer/1") & ~f["constant"]),
        ({"target": "layer.2"}, lambda f: (f["target_layer"] == "layer.2") & ~f["constant"]),
        ({"source": "layer/1/2"}, lambda f: f["source"].str.endswith("/layer/1/2")),
        (
            {"source": "layer/1/0", "constants": True},
            lambda f: f["source"].str.endswith("/1/0"),
        ),
        (
            {"source": "layer.0/1", "target": "layer/1/2"},
            lambda f: f["source"].str.endswith("/layer.0/1") & f["target"].str.endswith("/1/2"),
        ),
        ({"min_strength": 2}, lambda f: (f["strength"] >= 2) & ~f["constant"]),
        ({"source": "layer.0", "target": "layer.2"}, lambda f: f["strength"] < 0),
    ],
)
@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_the_strongest_interactions(
    graph: queries.Graph, run: Run, arguments: dict[str, object], kept, limit: int
) -> None:
    frame = stored_interactions(run)
    expected = frame[kept(frame)][NUMBERS].head(limit).reset_index(drop=True)
    found = graph.interactions(limit=limit, **arguments)
    assert tuple(found.frame.columns) == INTERACTION_COLUMNS
    assert len(expected) or "layer.2" in str(arguments)
    if len(expected):
        pd.testing.assert_frame_equal(found.frame[NUMBERS], expected)
    assert len(found.frame) == len(expected)


def test_a_limit_below_1_is_refused(graph: queries.Graph) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        graph.interactions(limit=0)


def test_a_strength_that_is_no_number_is_refused(graph: queries.Graph) -> None:
    """Nothing is above NaN, and an empty answer would look like one."""
    for ask in (graph.interactions, lambda **least: next(graph.sections(**least))):
        with pytest.raises(UsageError, match="The least strength is nan"):
            ask(min_strength=float("nan"))


def test_sections_hold_all_interactions_in_the_order_of_the_run(
    graph: queries.Graph, run: Run
) -> None:
    found = pd.concat([table.frame for table in graph.sections()], ignore_index=True)
    expected = stored_interactions(run).sort_index()[NUMBERS]
    pd.testing.assert_frame_equal(found[NUMBERS], expected)
    strong = [table.frame for table in graph.sections(min_strength=2)]
    assert sum(map(len, strong)) == (expected["strength"] >= 2).sum()


def test_a_text_of_ones_own_reads_the_run(graph: queries.Graph, run: Run) -> None:
    text = "MATCH (f:Feature {run: $run, role: $role}) RETURN count(*) AS n"
    assert graph.cypher(text, {"role": "constant"}).records() == [{"n": 3}]
    assert graph.cypher(text, {"role": "constant", "run": "?"}).records() == [{"n": 0}]


def test_a_text_that_writes_needs_the_method_for_it(graph: queries.Graph, run: Run) -> None:
    text = "MATCH (r:Run {id: $run}) SET r.name = 'new' RETURN r.name AS name"
    with pytest.raises(Exception, match="only reading is allowed"):
        graph.cypher(text)
    assert graph.runs().records()[0]["name"] == run.manifest.name
    assert graph.write_cypher(text).rows == [{"name": "new"}]
    assert graph.runs().records()[0]["name"] == "new"


def test_public_names_can_be_imported() -> None:
    assert queries.__all__ == sorted(queries.__all__)
    for name in queries.__all__:
        assert getattr(queries, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        queries.nothing  # noqa: B018
