"""What the service says of two runs: features that are alike, and an input over the average."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ingest
import queries
from ingest.store import open_store
from lib_graph.run import Run
from tests.queries.service.conftest import Api
from tests.synthetic import random_matches, random_run

pytestmark = pytest.mark.slow


def test_features_of_two_runs_that_are_each_others_best(
    api: Api, run: Run, store_target: str, tmp_path: Path
) -> None:
    other = random_run(tmp_path / "other", (6, 5, 4, 3), seed=9, name="other")
    found = random_matches(run, other)
    for each in (run, other):
        ingest.load(each, store_target, replace=True)
    rows = api.data("/matched", run=run.id, other="other")
    best = found[(found["rank"] == 1) & (found["other_rank"] == 1)]
    columns = ("layer", "index", "other_index", "correlation")
    expected = {
        (f"{run.id}/{layer}/{index}", f"{other.id}/{layer}/{other_index}"): pytest.approx(r)
        for layer, index, other_index, r in zip(*(best[name] for name in columns), strict=True)
    }
    assert {(row["source"], row["target"]): row["correlation"] for row in rows} == expected
    sizes = [abs(row["correlation"]) for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert len(api.data("/matched", run="other", other=run.id)) == len(rows)


def test_a_run_and_one_over_its_features_have_the_same(
    api: Api, run: Run, store_target: str, tmp_path: Path
) -> None:
    trace = random_run(tmp_path / "trace", (6, 5, 4, 3), seed=8, name="input 3", base=run.id)
    ingest.load(trace, store_target)
    rows = api.data("/matched", run=run.id, other="input 3")
    with queries.open_graph(store_target, run.id) as graph:
        ids = graph.features().frame["id"]
    assert [row["source"] for row in rows] == list(ids)
    assert all(re.sub(run.id, trace.id, row["source"]) == row["target"] for row in rows)
    assert {row["correlation"] for row in rows} == {1.0}
    with queries.open_graph(store_target, trace.id) as graph:
        unusual = graph.unusual(limit=7, min_share=0.01)
    assert api.data("/unusual", run=trace.id, limit=7, min_share=0.01) == unusual.records()


def test_what_cannot_be_put_beside(api: Api, run: Run) -> None:
    status, line = api.failure("/matched", run=run.id, other=run.id)
    assert status == 422
    assert "cannot be matched with itself" in line
    assert api.failure("/matched", other="nope")[0] == 404
    status, line = api.failure("/unusual", run=run.id)
    assert status == 422
    assert "is an average over data" in line


def test_the_page_as_one_file_is_that_of_python(api: Api, run: Run, store_target: str) -> None:
    reply = api.client.get("/api/v1/page", params={"share": 0.5})
    assert reply.headers["content-type"].startswith("text/html")
    with queries.open_graph(store_target, run.id) as graph:
        page = graph.show(share=0.5)
    assert reply.text == page.html


def test_a_run_that_is_half_loaded_is_not_there(api: Api, run: Run, store_target: str) -> None:
    with queries.open_graph(store_target) as graph:
        graph.write_cypher("MATCH (r:Run {id: $run}) SET r.status = 'loading'")
    assert api.failure("/layers", run=run.id)[0] == 404
    assert api.failure("/runs")[0] == 404
    with open_store(store_target) as store:
        store.write("MATCH (r:Run) SET r.status = 'complete'", {})
    assert api.data("/runs")["chosen"] == run.id


def test_a_circuit_of_a_graph_that_has_changed_says_what_to_do(
    api: Api, run: Run, store_target: str
) -> None:
    with queries.open_graph(store_target) as graph:
        circuit = graph.circuit(target="layer/3/1", min_share=0.02)
        graph.circuits.save(circuit, "five")
        source, target = circuit.pairs()[0]
        graph.write_cypher(
            "MATCH (a:Feature {id: $source})-[i:INTERACTS]->(b:Feature {id: $target}) DELETE i",
            {"source": source, "target": target},
        )
    status, line = api.failure("/circuits/saved", name="five")
    assert status == 409
    assert "five" in line
    reply = api.client.delete("/api/v1/circuits/saved", params={"name": "five"})
    assert reply.status_code == 200
    assert api.data("/circuits") == []
