"""Examples of features as they lie in a run folder."""

import pandas as pd
import pytest

from lib_graph.errors import RunError
from lib_graph.run.examples import NAME, read_examples, write_examples
from lib_graph.run.feature import read_feature
from tests.synthetic import random_run

RANKS = [1, 2, 3, -1, -2, -3]


@pytest.fixture
def run(tmp_path):
    return random_run(tmp_path / "run", (3, 2), density=1.0)


@pytest.fixture
def table(run):
    """Three examples at either end of every feature, written into the folder."""
    rows = [
        (run.id, layer, index, rank, 10 * index + rank, None, rank / 4, f"text {rank}", None)
        for layer, index in zip(run.features["layer"], run.features["index"], strict=True)
        for rank in RANKS
    ]
    names = ["run", "layer", "index", "rank", "sample", "position", "value", "text", "image"]
    table = pd.DataFrame(rows, columns=names)
    write(run, table, run.manifest.files["bases.safetensors"])
    return table


def write(run, table, bases):
    frames = (rows for _, rows in table.groupby("layer", sort=False))
    write_examples(run.path / NAME, frames, {"run": run.id, "bases": bases})


def test_they_come_back_whole_and_by_feature(run, table):
    columns = ["layer", "index", "rank", "sample", "value", "text"]
    for name in columns:
        assert read_examples(run)[name].tolist() == table[name].tolist()
    of_layer = read_examples(run, layer="layer.0")
    assert set(of_layer["layer"]) == {"layer.0"}
    assert len(of_layer) == 4 * len(RANKS)
    one = read_examples(run, layer="layer.0", index=2)
    assert one["sample"].tolist() == [20 + rank for rank in RANKS]


@pytest.mark.parametrize(("limit", "ranks"), [(1, [1, -1]), (2, [1, 2, -1, -2]), (9, RANKS)])
def test_a_feature_shows_as_many_at_either_end(run, table, limit, ranks):
    assert read_feature(run, "layer.0", 2, limit=limit).examples["rank"].tolist() == ranks


@pytest.mark.parametrize("bases", ["0" * 64, "f" * 64])
def test_those_of_another_build_are_refused(run, table, bases):
    write(run, table, bases)
    with pytest.raises(RunError, match="another build"):
        read_examples(run)


def test_where_there_are_none_the_command_is_named(run):
    with pytest.raises(RunError, match="Make them with 'lib-graph examples"):
        read_examples(run)
