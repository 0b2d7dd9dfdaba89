from __future__ import annotations

import json
import random
from pathlib import Path

import pandas as pd
import pytest

import ingest
import queries
from ingest.store import GraphStore
from lib_graph.errors import UsageError
from lib_graph.run.circuit import FEATURE_COLUMNS, INTERACTION_COLUMNS
from tests.loaded import load_once
from tests.queries.circuits.test_paths import all_ends, random_runs, text
from tests.queries.oracle import Oracle
from tests.synthetic import random_run


def pairs(circuit: queries.Circuit) -> set[tuple[str, str]]:
    frame = circuit.interactions
    return set(zip(frame["source"], frame["target"], strict=True))


@pytest.mark.slow
def test_a_circuit_is_what_brute_force_finds(store: GraphStore, tmp_path: Path) -> None:
    runs = random_runs(tmp_path, 40 if store.capabilities.kind == "embedded" else 8)
    with store.writing():
        for run in runs:
            ingest.load(run, store)
    for number, run in enumerate(runs):
        oracle, graph, choose = (
            Oracle(run),
            queries.open_graph(store, run.id),
            random.Random(number),
        )
        for ends in choose.sample(all_ends(run), 6):
            share = choose.choice([0.0, 0.05, 0.2, 0.5, 1.0])
            least = choose.choice([1e-6, 0.0, 0.1])
            source, target = (text(run, place) for place in ends)
            found = graph.circuit(
                source=source, target=target, min_share=share, min_importance=least
            )
            expected = oracle.circuit(*ends, share, min_importance=least)
            assert pairs(found) == expected
            assert set(found.features["id"]) == {end for pair in expected for end in pair}


@pytest.mark.slow
def test_a_circuit_holds_what_the_run_folder_says_of_its_parts(
    store: GraphStore, tmp_path: Path
) -> None:
    run = random_run(tmp_path, density=1.0)
    load_once(store, run)
    circuit = queries.open_graph(store).circuit(target="layer/3/1", min_share=0.05)
    assert tuple(circuit.features.columns) == FEATURE_COLUMNS
    assert tuple(circuit.interactions.columns) == INTERACTION_COLUMNS
    stored = run.interactions.assign(
        source=run.id + "/" + run.interactions["source_layer"] + "/"
        + run.interactions["source"].astype(str),
        target=run.id + "/" + run.interactions["target_layer"] + "/"
        + run.interactions["target"].astype(str),
    )  # fmt: skip
    numbers = ["source", "target", "strength", "stderr", "effect", "share"]
    both = circuit.interactions[numbers].merge(stored[numbers], how="left")
    assert len(circuit) > 3
    pd.testing.assert_frame_equal(both, circuit.interactions[numbers])
    layer = dict(zip(circuit.features["id"], circuit.features["layer_index"], strict=True))
    order = [(layer[row.source], -row.strength) for row in circuit.interactions.itertuples()]
    assert order == sorted(order)
    labels = dict(zip(circuit.features["id"], circuit.features["label"], strict=True))
    assert list(circuit.interactions["source_label"]) == [
        labels[source] for source in circuit.interactions["source"]
    ]


@pytest.mark.slow
def test_a_circuit_is_a_graph_and_a_file(store: GraphStore, tmp_path: Path) -> None:
    load_once(store, random_run(tmp_path / "run"))
    circuit = queries.open_graph(store).circuit(target="layer/3", min_share=0.1)
    graph = circuit.to_networkx()
    assert set(graph.edges) == pairs(circuit)
    for row in circuit.features.itertuples():
        assert graph.nodes[row.id]["layer"] == row.layer
    for row in circuit.interactions.itertuples():
        assert graph.edges[row.source, row.target]["share"] == row.share
    circuit.save(tmp_path / "circuit.json")
    saved = json.loads((tmp_path / "circuit.json").read_text())
    assert saved == circuit.json_value()
    assert saved["interactions"] == circuit.records()
    assert {row["id"] for row in saved["features"]} == set(graph.nodes)
    assert saved["query"]["min_share"] == 0.1


def test_the_circuit_of_paths_is_their_union(store: GraphStore, tmp_path: Path) -> None:
    load_once(store, random_run(tmp_path))
    graph = queries.open_graph(store)
    paths = graph.paths(k=7)
    circuit = graph.circuit_of(paths)
    assert pairs(circuit) == set(paths.pairs())
    assert circuit.query == {"source": "layer.0", "target": "layer/3", "paths": 7}
    strongest = graph.interactions(limit=9)
    assert pairs(graph.circuit_of(strongest)) == set(
        zip(strongest.frame["source"], strongest.frame["target"], strict=True)
    )


def test_a_circuit_may_be_empty(store: GraphStore, tmp_path: Path) -> None:
    load_once(store, random_run(tmp_path, (5, 5, 5), density=1.0, ties=True))
    circuit = queries.open_graph(store).circuit(target="layer.2", min_share=0.9)
    assert len(circuit) == 0
    assert circuit.records() == []
    assert tuple(circuit.interactions.columns) == INTERACTION_COLUMNS
    assert len(circuit.to_networkx()) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"target": "layer/3", "min_share": 1.1}, "from 0 to 1"),
        ({"target": "layer.0"}, "must come before"),
        ({"target": "layer.2/0"}, "constant feature"),
    ],
)
def test_what_cannot_be_a_circuit_is_a_clear_error(
    store: GraphStore, tmp_path: Path, arguments: dict[str, str], says: str
) -> None:
    load_once(store, random_run(tmp_path))
    with pytest.raises(UsageError, match=says):
        queries.open_graph(store).circuit(**arguments)
