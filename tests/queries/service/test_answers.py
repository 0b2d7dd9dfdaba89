"""What the service answers is what Python answers, on both stores."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import ingest
import queries
from ingest.store import GraphStore
from lib_graph.run import Run
from lib_graph.run.examples import EXAMPLES, write_examples
from lib_graph.run.histograms import BINS, write_histograms
from lib_graph.run.kept import graph_of
from lib_graph.support import defaults
from queries.asking.library import all_queries
from tests.queries.service.conftest import Api
from tests.synthetic import random_run

pytestmark = pytest.mark.slow
TARGET, FEATURE = "layer/3/1", "layer/1/2"


def same(answer: object, expected: object) -> None:
    """Compare as JSON has it, where a tuple is a list."""
    assert answer == json.loads(json.dumps(expected))


def test_each_answer_names_its_run_and_the_cypher_that_gave_it(api: Api, run: Run) -> None:
    answer = api.ask("/paths", target=TARGET, k=3)
    assert answer["run"] == {"id": run.id, "name": "synthetic"}
    assert answer["statements"]
    for each in answer["statements"]:
        assert each["parameters"]["run"] == run.id
        assert each["paste"].startswith(":param run => ")
        assert each["text"].rstrip() in each["paste"]


def test_runs_and_layers(api: Api, graph: queries.Graph, run: Run) -> None:
    found = api.data("/runs")
    assert found["chosen"] == run.id
    same(found["runs"], graph.runs().records())
    assert [each["name"] for each in api.data("/layers")] == [each.name for each in run.layers]
    assert api.data("/prompt") is None


def test_a_view_says_what_each_share_would_keep(api: Api, graph: queries.Graph) -> None:
    counts = graph.ranked().counts()
    for percent in (30, 80):
        found = api.data("/view", share=percent / 100)
        assert found["counts"] == counts
        assert len(found["interactions"]["kept_at"]) == counts[percent]


def test_features_by_pages(api: Api, graph: queries.Graph) -> None:
    table = graph.features(sort="importance").records()
    found = [api.data("/features", sort="importance", offset=at, limit=5) for at in (0, 5, 10)]
    assert {each["total"] for each in found} == {len(table)}
    same([row for each in found for row in each["features"]], table[:15])


def test_features_are_searched_by_id_and_label(api: Api, graph: queries.Graph) -> None:
    rows = [row["id"] for row in graph.features().records()]
    found = api.data("/features", search="LAYER/1 /3")["features"]
    assert [row["id"] for row in found] == [x for x in rows if "layer/1" in x and "/3" in x]


def test_interactions_paths_and_circuits(api: Api, graph: queries.Graph) -> None:
    same(api.data("/interactions", limit=7), graph.interactions(limit=7).records())
    same(api.data("/interactions", target=TARGET), graph.interactions(target=TARGET).records())
    same(api.data("/paths", target=TARGET, k=4)["paths"], graph.paths(target=TARGET, k=4).records())
    found = api.data("/circuit", target=TARGET, min_share=0.1)
    same(found, graph.circuit(target=TARGET, min_share=0.1).json_value())
    found = api.data("/circuit", target=TARGET, how="size", size=6)
    same(found, graph.grow_circuit(target=TARGET, size=6).json_value())
    found = api.data("/circuit", target=TARGET, how="paths", k=2)
    same(found, graph.circuit_of(graph.paths(target=TARGET, k=2)).json_value())


def test_a_feature_with_its_inputs_and_outputs(api: Api, graph: queries.Graph) -> None:
    found = api.data("/feature", feature=FEATURE, limit=3)
    same(found["inputs"], graph.interactions(target=FEATURE, limit=3).records())
    same(found["outputs"], graph.interactions(source=FEATURE, limit=3).records())
    layer = graph.features(layer="layer/1").frame
    (row,) = layer[layer["index"] == 2].to_dict("records")
    assert found["importance"] == row["importance"]
    assert found["importance_share"] == pytest.approx(row["importance"] / layer.importance.sum())


def test_modules_and_what_flows_between_them(api: Api, graph: queries.Graph) -> None:
    found = graph.communities(resolution=1.5, seed=2)
    data = api.data("/communities", resolution=1.5, seed=2)
    numbers = [module.index for module in found.communities]
    assert {*data.pop("colours")} == {"0", *map(str, numbers)}
    same(data, found.json_value())
    flow = graph.module_flow(found).json_value()
    same(api.data("/supernodes", resolution=1.5, seed=2), flow)


def test_named_queries(api: Api, graph: queries.Graph) -> None:
    assert [each["name"] for each in api.data("/queries")] == [x.name for x in all_queries()]
    reply = api.client.post("/api/v1/queries/hubs", json={"parameters": {"k": 3}})
    same(reply.json()["data"], graph.query("hubs", k=3).records())


def test_cypher_reads_and_says_that_there_is_more(api: Api, run: Run) -> None:
    asked = {"text": "MATCH (f:Feature {run: $run}) RETURN f.id AS id ORDER BY id", "limit": 4}
    answer = api.client.post("/api/v1/cypher", json=asked).json()
    ids = sorted(run.features.run + "/" + run.features.layer + "/" + run.features["index"].map(str))
    assert answer["data"] == {"columns": ["id"], "rows": [[x] for x in ids[:4]], "more": True}
    assert answer["statements"][0]["parameters"] == {"run": run.id}


def test_what_json_has_no_number_for_is_null(api: Api) -> None:
    text = "RETURN 0.0 / 0.0 AS a, 1.0 / 0.0 AS b, -1.0 / 0.0 AS c, 0.5 AS d"
    reply = api.client.post("/api/v1/cypher", json={"text": text})
    assert reply.json()["data"]["rows"] == [[None, None, None, 0.5]]


def test_circuits_are_saved_loaded_compared_and_deleted(api: Api, graph: queries.Graph) -> None:
    one = graph.circuit(target=TARGET, min_share=0.2)
    pairs = [list(pair) for pair in one.pairs()]
    wanted = {"name": "a/b c", "interactions": pairs}
    reply = api.client.post("/api/v1/circuits", json=wanted)
    assert reply.status_code == 200, reply.text
    assert graph.circuits.load("a/b c").pairs() == one.pairs()
    same(api.data("/circuits/saved", name="a/b c"), graph.circuits.load("a/b c").json_value())
    among = {"name": "all", "features": one.features["id"].tolist()}
    assert api.client.post("/api/v1/circuits", json=among).status_code == 200
    assert set(one.pairs()) <= set(graph.circuits.load("all").pairs())
    found = api.data("/circuits/compare", name=["all", "a/b c"])
    same(found, graph.circuits.compare(["all", "a/b c"]).json_value())
    assert [row["name"] for row in api.data("/circuits")] == ["a/b c", "all"]
    put = api.client.put("/api/v1/circuits/saved", params={"name": "a/b c"}, json={"name": "d"})
    same(put.json()["data"], graph.circuits.load("d").json_value())
    graph.circuits.rename("d", "a/b c")
    gone = api.client.delete("/api/v1/circuits/saved", params={"name": "a/b c"})
    assert gone.status_code == 200
    assert [row["name"] for row in graph.circuits.table().records()] == ["all"]


def test_a_circuit_of_features_has_all_that_is_between_them(api: Api, run: Run) -> None:
    ids = [f"{run.id}/{name}" for name in ("layer.0/1", "layer.0/2", "layer/1/1", "layer/1/3")]
    found = api.client.post("/api/v1/circuit", json={"features": ids}).json()["data"]
    rows = run.interactions
    source = run.id + "/" + rows.source_layer + "/" + rows.source.map(str)
    target = run.id + "/" + rows.target_layer + "/" + rows.target.map(str)
    pairs = {(s, t) for s, t in zip(source, target, strict=True) if s in ids and t in ids}
    assert {(row["source"], row["target"]) for row in found["interactions"]} == pairs
    assert pairs


def test_labels_are_written_to_store_and_folder(api: Api, run: Run, store: GraphStore) -> None:
    wanted = {"feature": FEATURE, "label": " capitals "}
    data = api.client.put("/api/v1/labels", json=wanted).json()["data"]
    assert data == {
        "feature": f"{run.id}/{FEATURE}", "label": "capitals", "kept_in": ["store", "folder"],
    }  # fmt: skip
    assert api.data("/labels")[f"{run.id}/{FEATURE}"] == "capitals"
    assert Run.open(run.path).feature("layer/1", 2).label == "capitals"
    assert ingest.load(run.path, store).outcome == "unchanged"


def test_a_run_that_is_loaded_meanwhile_appears(
    api: Api, store_target: str, tmp_path: Path
) -> None:
    other = random_run(tmp_path / "other", (3, 2), seed=9, name="later")
    assert api.failure("/layers", run="later")[0] == 404
    ingest.load(other, store_target)
    assert len(api.data("/layers", run="later")) == 2
    assert api.data("/runs")["chosen"] == other.id


def test_examples_need_the_folder(api: Api, run: Run) -> None:
    found = api.data("/examples", feature=FEATURE)
    assert found == {
        "examples": None,
        "histogram": None,
        "advice": f"There are none yet: lib-graph examples {run.path}",
        "findable": True,
    }


@pytest.mark.parametrize(("count", "more"), [(defaults.EXAMPLES, ""), (20, " -n 20")])
def test_examples_come_with_the_histogram(api: Api, run: Run, count: int, more: str) -> None:
    origin = {**graph_of(run, "run", "bases"), "count": count}
    write_examples(run.path / "examples.parquet", [pd.DataFrame(columns=EXAMPLES.names)], origin)
    older = api.data("/examples", feature=FEATURE)
    assert (older["examples"], older["histogram"]) == ([], None)
    assert older["advice"] == f"No values were counted: lib-graph examples {run.path}{more}"
    layer, _, index = FEATURE.rpartition("/")
    row = {"run": run.id, "layer": layer, "index": int(index), "start": -1.0, "width": 0.5,
           "below": 2, "above": 1, "counts": list(range(BINS))}  # fmt: skip
    write_histograms(run.path / "histograms.parquet", [pd.DataFrame([row])], origin)
    found = api.data("/examples", feature=FEATURE)
    names = ("start", "width", "below", "above", "counts")
    assert found["histogram"] == {**{name: row[name] for name in names}, "beyond": 3}
    assert found["advice"] is None


def test_nothing_was_ablated(api: Api) -> None:
    assert api.data("/ablations") is None


@pytest.mark.parametrize(
    ("path", "parameters", "status", "line"),
    [
        ("/features", {"layer": "layer/9"}, 404, "Layer 'layer/9' not found. Closest: 'layer/"),
        ("/feature", {"feature": "layer/1/99"}, 404, "Feature 'layer/1/99' not found."),
        ("/feature", {"feature": "layer/1"}, 422, "'layer/1' is a layer."),
        ("/paths", {"k": 0}, 422, "k: Input should be greater than or equal to 1"),
        ("/paths", {"source": "layer/3", "target": "layer.0"}, 422, "No path leads from"),
        ("/paths", {"min_importance": "nan"}, 422, "min_importance: Input should be"),
        ("/layers", {"run": "zz"}, 404, "Run 'zz' not found."),
        ("/circuits/saved", {"name": "none"}, 404, "Circuit 'none' not found."),
        ("/nothing", {}, 404, "Not Found: GET /api/v1/nothing."),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(api, path, parameters, status, line):
    found = api.failure(path, **parameters)
    assert found[0] == status
    assert found[1].startswith(line), found[1]
    assert "\n" not in found[1]


def test_a_text_that_takes_too_long_is_stopped(api: Api) -> None:
    endless = "UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b RETURN sum(a * b) AS x"
    reply = api.client.post("/api/v1/cypher", json={"text": endless, "timeout": 0.2})
    assert reply.status_code == 400
    assert reply.json()["error"].startswith("The text took longer than it may.")


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({"text": "MATCH (n) DETACH DELETE n"}, "This text writes"),
        ({"text": "RETURN"}, ""),
        ({"text": "LOAD CSV FROM 'file:///etc/passwd' AS x RETURN x"}, "A text may not use LOAD"),
        ({"text": "RETURN 1 AS x", "limit": 0}, "limit: Input should be"),
        ({"words": "RETURN 1"}, "text: Field required"),
        ({"text": 5}, "text: Input should be a valid string"),
    ],
)
def test_a_text_that_cannot_run_is_refused(api, body, line):
    reply = api.client.post("/api/v1/cypher", json=body)
    assert 400 <= reply.status_code < 500
    assert reply.json()["error"].startswith(line), reply.json()


def test_the_store_is_gone(api: Api, store: GraphStore) -> None:
    if store.capabilities.kind != "embedded":
        pytest.skip("a server that is stopped is tested with the store")
    Path(store.name).unlink()
    status, line = api.failure("/layers")
    assert status == 503
    assert line.startswith("There is no store")
