"""Outputs have the names that the network gives them: tokens, classes."""

from dataclasses import replace

import pytest
import torch

import ingest
import lib_graph
import queries
from lib_graph.support.tables import records_of
from queries.views.answers import paths_view


def network():
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 3))
    data = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    return lib_graph.Subject.of(module, data, ["input=0:in", "hidden=2:in", "output"])


@pytest.mark.slow
def test_outputs_are_labelled_and_paths_end_in_the_label(tmp_path):
    subject = replace(network(), answers=lambda: ["cat", None])
    run = lib_graph.build(subject, tmp_path / "run")
    rows = {(row["layer"], row["index"]): row for row in records_of(run.features)}
    outputs = [rows["output", number] for number in range(3)]
    assert [row["label"] for row in outputs] == ["cat", None, None]
    assert all(row["label_score"] is None for row in outputs)
    assert {row["label"] for (layer, _), row in rows.items() if layer != "output"} == {None}
    ingest.load(run, tmp_path / "graph.kgl")
    with queries.open_graph(tmp_path / "graph.kgl") as graph:
        (named,) = paths_view(graph.paths(target="output/0", k=1)).rows
        (unnamed,) = paths_view(graph.paths(target="output/1", k=1)).rows
    assert named[2].endswith("→ output/0 cat")
    assert unnamed[2].endswith("→ output/1")


@pytest.mark.slow
def test_outputs_that_are_turned_are_no_answers(tmp_path):
    subject = replace(network(), answers=lambda: ["cat", "dog", "cow"])
    run = lib_graph.build(subject, tmp_path / "run", lib_graph.Options(last="pca"))
    assert run.features["label"].isna().all()
