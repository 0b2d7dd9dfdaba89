"""In which attribution graphs a feature is."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

import ingest
import queries
from ingest.graph_loading import load_graphs
from ingest.store import GraphStore, open_store
from lib_graph.support.tables import records_of
from queries.asking.statements import read_text
from queries.columnar import STORE_TWINS
from tests.prompts import random_graph
from tests.queries.prompts.answers import assert_alike
from tests.synthetic import random_run


@pytest.mark.slow
def test_in_which_graphs_a_feature_is(store: GraphStore, tmp_path: Path) -> None:
    for seed in range(3):
        path = random_graph(tmp_path / f"{seed}.json", seed=seed, slug=f"graph {seed}")
    ingest.load(random_run(tmp_path / "run", base=None), store)
    files = [tmp_path / f"{seed}.json" for seed in range(3)]
    reports = [report for file in files for report in load_graphs(file, store)]
    graph = queries.open_graph(store, reports[0].run_id)
    rows = graph.query("graphs_with", layer=2, number=21).records()
    assert [(row["graph"], row["position"]) for row in rows] == [
        (f"graph {seed}", position) for seed in range(3) for position in (1, 2)
    ]
    found = json.loads(path.read_text())
    links = [x for x in found["links"] if x["target"] == "2_21_2"]
    size = sum(abs(link["weight"]) for link in links)
    best = sorted((abs(link["weight"]) / size for link in links), reverse=True)[:3]
    assert rows[-1]["shares"] == pytest.approx(best)
    assert rows[-1]["token"] == " t2"
    assert graph.query("graphs_with", layer=2, number=12).records() == []
    assert queries.open_graph(store).run.prompt is None  # the run over data is the default


@pytest.mark.slow
def test_in_which_graphs_says_the_graph_what_the_columns_do(tmp_path: Path) -> None:
    """Ties, several positions, names that are equal, another model, a limit: Cypher's rows."""
    file = tmp_path / "graph.kgl"
    for seed in range(5):
        path = random_graph(tmp_path / f"{seed}.json", seed=seed, ties=seed < 3, density=0.3,
                            slug=f"graph {seed % 3}")  # fmt: skip
        if seed == 4:
            path.write_text(path.read_text().replace('"scan": "random"', '"scan": "other"'))
        assert [report.outcome for report in load_graphs(path, file)] == ["loaded"]
    ingest.load(random_run(tmp_path / "run", base=None), file)
    with open_store(file) as store:
        kept = store.columns()
        assert kept is not None
        text, rows = read_text("library/graphs_with"), 0
        for run in (str(each["id"]) for each in kept.runs):
            for layer, number, k in itertools.product((0, 2, 3, 9), (13, 21, 8), (1, 3, 100)):
                values = {"layer": layer, "number": number, "k": k}
                frame = store.frame(text, {"run": run, **values})
                twin = STORE_TWINS["library/graphs_with"](kept, run, **values)
                assert twin is not None
                assert list(twin.columns) == list(frame.columns)
                assert_alike(records_of(twin), records_of(frame))
                rows += len(frame)
        assert rows
    (file.with_name("graph.kgl.columns") / str(kept.numbered)).unlink()
    with queries.open_graph(file, "graph 2") as graph:  # the graph is asked
        assert len(graph.query("graphs_with", layer=2, number=21).records()) == 8
