"""Which features can end a path: against the table of the run folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ingest.store import GraphStore
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.run import Run
from queries.asking.ends import find_end
from queries.asking.reader import Reader
from tests.loaded import load_once
from tests.synthetic import random_run


@pytest.fixture
def run(store: GraphStore, tmp_path: Path) -> Run:
    run = random_run(tmp_path / "run", (9, 6, 4))
    load_once(store, run)
    return run


@pytest.fixture
def reader(store: GraphStore, run: Run) -> Reader:
    return Reader(store, run.id)


def of_layer(run: Run, name: str) -> pd.DataFrame:
    rows = run.features[run.features["layer"] == name]
    return rows[rows["role"] != "constant"]


def test_of_a_layer_the_features_that_are_important_enough(reader: Reader, run: Run) -> None:
    rows = of_layer(run, "layer.0")
    counts = []
    for least in (1.0, 0.1, 1e-2, 0.0):
        end = find_end(reader, reader.place("layer.0"), least)
        enough = rows["importance"] >= least * rows["importance"].max()
        assert end.indices == set(rows["index"][enough])
        assert end.floor == pytest.approx(least * rows["importance"].max())
        assert end.ids(run.id) == {f"{run.id}/layer.0/{index}" for index in end.indices}
        counts.append(len(end.indices))
    assert counts[0] == 1 < counts[1] <= counts[2] < counts[3] == 9


def test_a_feature_without_an_importance_is_no_end_of_a_layer(
    store: GraphStore, reader: Reader
) -> None:
    store.write("MATCH (f:Feature {layer: 'layer.0', index: 3}) REMOVE f.importance")
    assert find_end(reader, reader.place("layer.0"), 0.0).indices == {1, 2, *range(4, 10)}


def test_a_feature_is_its_own_end_however_small(reader: Reader) -> None:
    end = find_end(reader, reader.place("layer.0/9"), 1.0)
    assert (end.indices, end.floor, end.layer) == ({9}, None, 0)


def test_of_a_raw_layer_every_output(reader: Reader) -> None:
    end = find_end(reader, reader.place("layer.2"), 1.0)
    assert (end.indices, end.floor, end.layer) == ({0, 1, 2, 3}, None, 2)


def test_what_is_not_there_or_constant_is_no_end(reader: Reader) -> None:
    with pytest.raises(NotFoundError, match=r"Feature 'layer\.0/10' not found"):
        find_end(reader, reader.place("layer.0/10"), 0.0)
    with pytest.raises(UsageError, match=r"'layer\.0/0' is the constant feature"):
        find_end(reader, reader.place("layer.0/0"), 0.0)
