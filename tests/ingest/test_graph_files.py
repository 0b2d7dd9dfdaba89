"""Attribution graphs as runs: each layout of the samples, against the JSON itself."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.graphs import reading
from ingest.graphs.nodes import read_node
from ingest.graphs.reading import read_graph
from ingest.graphs.tables import write_run
from lib_graph.errors import RunError
from lib_graph.run import Run
from lib_graph.run.prompt import cantor, from_cantor, usual_fields
from tests.data import reference_data

SAMPLES = {
    "circuit-tracer-local-gemma-dallas": "circuit-tracer, schema 1",
    "derived-schema0-gemma": "circuit-tracer, schema 0, 5 digits",
    "derived-eleuther-attribute": "EleutherAI attribute",
    "derived-openmoss-lorsa": "OpenMOSS",
    "derived-id-collision-and-pins": "circuit-tracer, schema 1",
    "neuronpedia-clt-hp-son": "circuit-tracer, schema 1",
}
Change = Callable[[dict[str, Any]], Any]


def sample(name: str) -> Path:
    return reference_data("formats/graphs") / f"{name}.json"


def run_of(value: Any, folder: Path) -> Run:
    """The run of a graph that is given as JSON."""
    folder.mkdir(parents=True)
    path = folder / "graph.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return write_run(read_graph(path), folder / "run")


def small() -> dict[str, Any]:
    """Two features of layers 0 and 2, an error, an embedding and a logit, whose links skip."""
    nodes = [
        ("E_7_0", "embedding", "E", 0), ("0_5_1", "cross layer transcoder", "0", cantor(0, 5)),
        ("2_3_1", "cross layer transcoder", "2", cantor(2, 3)),
        ("0_0_1", "mlp reconstruction error", "0", -1), ("4_9_1", "logit", "4", 9),
    ]  # fmt: skip
    links = [
        ("E_7_0", "0_5_1", 2.0), ("E_7_0", "2_3_1", -1.0), ("0_5_1", "2_3_1", 3.0),
        ("2_3_1", "4_9_1", 0.5), ("0_0_1", "4_9_1", 1.5), ("E_7_0", "4_9_1", -2.0),
    ]  # fmt: skip
    return {
        "metadata": {"slug": "small", "scan": "m", "prompt_tokens": ["a", " b"], "prompt": "a b"},
        "qParams": {},
        "nodes": [
            {
                "node_id": name, "feature_type": kind, "layer": layer, "feature": feature,
                "ctx_idx": int(name[-1]), "jsNodeId": "x", "clerp": "",
            }
            for name, kind, layer, feature in nodes
        ],
        "links": [{"source": s, "target": t, "weight": weight} for s, t, weight in links],
    }  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_a_run_has_the_nodes_and_links_of_its_file(name: str, tmp_path: Path) -> None:
    graph, found = json.loads(sample(name).read_text()), read_graph(sample(name))
    assert found.format == SAMPLES[name]
    run = Run.open(write_run(found, tmp_path).path)
    features, links = run.features, run.interactions
    nodes = {(node["node_id"], node["feature_type"]): node for node in graph["nodes"]}
    assert set(zip(features["node"], features["kind"], strict=True)) == set(nodes)
    assert features["index"].tolist() == list(range(len(nodes)))
    for row in features.to_dict("records"):
        node = nodes[row["node"], row["kind"]]
        assert row["position"] == node["ctx_idx"]
        assert node.get("activation") is None or row["activation"] == node["activation"]
        assert node["influence"] is None or row["influence"] == node["influence"]
        if row["role"] == "feature":
            assert str(row["depth"]) == str(node["layer"])
            assert str(row["number"]) in node["node_id"].split("_")
    name_of = dict(zip(features["index"], features["node"], strict=True))
    ends = zip(links["source"].map(name_of), links["target"].map(name_of), strict=True)
    weights = sorted(zip(*zip(*ends, strict=True), links["effect"], strict=True))
    assert weights == sorted((x["source"], x["target"], x["weight"]) for x in graph["links"])
    assert (links["strength"] == links["effect"].abs()).all()
    assert links.groupby("target")["share"].sum().to_numpy() == pytest.approx(1)
    order = {layer.name: layer.index for layer in run.layers}
    assert (links["source_layer"].map(order) < links["target_layer"].map(order)).all()
    prompt = run.manifest.prompt
    assert prompt is not None
    assert list(prompt.tokens) == graph["metadata"]["prompt_tokens"]
    assert prompt.metadata == graph["metadata"]


def test_roles_tokens_and_probabilities(tmp_path: Path) -> None:
    run = write_run(read_graph(sample("neuronpedia-clt-hp-night")), tmp_path)
    features = run.features
    counts = features["role"].value_counts().to_dict()
    assert counts == {"feature": 390, "error": 126, "embedding": 13, "logit": 3}
    logits = features[features["role"] == "logit"]
    likely = logits.loc[logits["probability"].idxmax()]
    assert (likely["token"], likely["probability"]) == (" night", 0.91796875)
    assert features[features["role"] == "embedding"]["token"].tolist()[5] == " Sun"
    assert [layer.name for layer in run.layers] == ["E", *map(str, range(26)), "logits"]


@pytest.mark.parametrize("layer", [0, 18, 25])
def test_numbers_of_features_are_found_in_every_way(layer: int, tmp_path: Path) -> None:
    """Where no id says it, what fits all nodes decides."""
    for way, feature in (
        ("cantor", lambda n: cantor(layer, n)),
        ("decimal", lambda n: 10**5 * layer + n),
        ("plain", lambda n: n),
    ):
        graph = small()
        numbers = [5, 4321, 99_999]
        kept = [node for node in graph["nodes"] if node["feature_type"] in ("embedding", "logit")]
        graph["nodes"] = kept + [
            {"node_id": f"n{n}", "feature_type": "cross layer transcoder", "layer": layer,
             "feature": feature(n), "ctx_idx": 1, "clerp": ""}
            for n in numbers
        ]  # fmt: skip
        graph["links"] = [{"source": "E_7_0", "target": "4_9_1", "weight": 1.0}]
        features = run_of(graph, tmp_path / way).features
        found = features[features["role"] == "feature"]["number"].tolist()
        assert sorted(found) == numbers


@pytest.mark.parametrize("value", [0, 1, 15204836, 2**53, 2**61 + 12345])
def test_cantors_pair_and_back(value: int) -> None:
    assert cantor(*from_cantor(value)) == value


def test_two_nodes_with_one_id_are_told_apart(tmp_path: Path) -> None:
    graph = small()
    twin = {**graph["nodes"][1], "node_id": "0_0_1", "feature": 0}  # as the error of layer 0
    graph["nodes"].append(twin)
    graph["links"] += [
        {"source": "E_7_0", "target": "0_0_1", "weight": 7.0},  # nothing drives an error
        {"source": "0_0_1", "target": "4_9_1", "weight": 9.0},  # the second such link: the second
    ]
    found = read_graph(_written(graph, tmp_path))
    assert "1 ids are those of two nodes each, such as '0_0_1'" in found.notes[0]
    run = write_run(found, tmp_path / "run")
    both = run.features[run.features["node"] == "0_0_1"].set_index("role")["index"]
    links = run.interactions.set_index(["source", "target"])["effect"]
    last = run.features["index"].max()
    assert links[0, both["feature"]] == 7
    assert {links[both["feature"], last], links[both["error"], last]} == {1.5, 9.0}


def test_of_two_nodes_with_one_id_none_drives_what_was_read_before_it(tmp_path: Path) -> None:
    graph = small()
    feature = graph["nodes"][1]
    graph["nodes"] += [
        {**feature, "node_id": "0_0_1", "feature": 0, "ctx_idx": 0},
        {**feature, "node_id": "2_4_0", "feature": cantor(2, 4), "layer": "2", "ctx_idx": 0},
    ]
    graph["links"].append({"source": "0_0_1", "target": "2_4_0", "weight": 9.0})
    run = run_of(graph, tmp_path / "twins")
    (drives,) = run.interactions["source"][run.interactions["effect"] == 9.0]
    at = run.features.set_index("index")
    assert (at["role"][drives], at["position"][drives]) == ("feature", 0)


def test_the_label_of_a_node_is_its_own_before_that_of_a_view_or_of_its_group(
    tmp_path: Path,
) -> None:
    graph = small()
    graph["nodes"][1]["clerp"] = "own"
    names = ["0_5_1", "2_3_1", "4_9_1"]
    graph["qParams"] = {
        "clerps": [[f"{at}_{cantor(at, number)}_1", "named"] for at, number in ((0, 5), (2, 3))],
        "supernodes": [["group", *names]],
    }
    rows = run_of(graph, tmp_path / "labels").features.set_index("node")["label"]
    assert rows[names].tolist() == ["own", "named", "group"]


def test_links_that_lead_back_get_a_layer_of_their_own(tmp_path: Path) -> None:
    graph = small()
    graph["links"].append({"source": "0_0_1", "target": "0_5_1", "weight": 1.0})
    run = run_of(graph, tmp_path / "same")
    assert [layer.name for layer in run.layers] == ["E", "0<0", "0", "2", "logits"]
    graph["links"].append({"source": "2_3_1", "target": "0_0_1", "weight": 1.0})
    with pytest.raises(RunError, match=r"go round in a circle, in which is node '(0_5|2_3|0_0)_1'"):
        run_of(graph, tmp_path / "circle")


def test_what_is_not_known_is_kept(tmp_path: Path) -> None:
    graph = small()
    graph["nodes"][1] |= {"vendor": {"a": [1]}, "clerp": "two\nlines", "activation": 2}
    graph |= {"qk_only_nodes": {"b": {}}, "qParams": {"clerps": [["2_12_1", "named"]]}}
    run = run_of(graph, tmp_path / "graph")
    features = run.features.set_index("node")
    extra = json.loads(features["extra"]["0_5_1"])
    assert extra["vendor"] == {"a": [1]}
    assert extra["clerp"] == "two\nlines"
    assert features["label"]["0_5_1"] == "two lines"
    assert features["label"]["E_7_0"] == '"a"'
    prompt = run.manifest.prompt
    assert prompt is not None
    assert prompt.extra == {"qk_only_nodes": {"b": {}}}


def test_a_run_is_known_by_what_is_in_its_graph(tmp_path: Path) -> None:
    graph = small()
    first = run_of(graph, tmp_path / "first").id
    graph["nodes"].reverse()
    graph["links"].reverse()
    graph["qParams"] = {"pinnedIds": "2_3_1"}
    graph["nodes"][0]["clerp"] = "a label"
    assert run_of(graph, tmp_path / "turned").id == first
    graph["links"][0]["weight"] += 1e-9
    assert run_of(graph, tmp_path / "other").id != first


def test_packed_with_a_mark_and_nan(tmp_path: Path) -> None:
    graph = small()
    graph["nodes"][1]["influence"] = float("nan")
    plain = read_graph(_written(graph, tmp_path))
    (tmp_path / "packed").write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps(graph).encode()))
    packed = read_graph(tmp_path / "packed")
    assert [node.id for node in packed.nodes] == [node.id for node in plain.nodes]
    assert packed.nodes[1].influence is None


def test_usual_fields_are_those_of_the_real_files() -> None:
    for name in ("circuit-tracer-local-gemma-dallas", "neuronpedia-clt-hp-son"):
        graph = read_graph(sample(name))
        for node in graph.nodes:
            layer = "E" if node.role == "embedding" else node.layer
            number = graph.number(node)
            usual = usual_fields(node.role, layer, number, node.position, node.probability)
            differ = {key for key in usual if node.given[key] != usual[key]}
            assert differ <= ({"layer", "is_target_logit"} if node.role == "logit" else set())


def _written(graph: Any, folder: Path) -> Path:
    path = folder / "graph.json"
    path.write_text(json.dumps(graph))
    return path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no attribution graph: it is empty."),
        ("hello", "it is not JSON. A graph is an object with metadata, nodes and links."),
        ("<graphml/>", "it is XML (GraphML, GEXF), which is only written."),
        ("[1]", "it is a list."),
        ("PK\x03\x04", "a zip file, such as torch.save writes (circuit-tracer's *.pt)"),
        ("{}", "it is a JSON object without metadata, nodes, links."),
        ('{"graphs": []}', "the index of a folder of graphs (graph-metadata.json)"),
        ('{"elements": {}}', "it looks like Cytoscape JSON"),
        ('{"directed": true, "multigraph": false, "nodes": [{"id": 1}]}', "node-link JSON"),
        ('{"metadata": {}, "nodes": []}', "it looks like one, but its links are missing."),
        ('{"nodes": [], "links": []}', "metadata with prompt_tokens, or its nodes, are missing."),
        ('{"nodes": [{"a": 1}', "looks like an attribution graph, but a node has no node_id."),
        ('{"a": 1', "is damaged JSON at character 7: it ends too early."),
        ('{"a": [1,', "it ends too early"),
        ('{"a": 1} x', "something follows the object."),
        ('{"a": 1,}', "nothing follows a comma."),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", "it is nested more than 100 deep."),
        ('{"a": ' + "[" * 100_000, "is damaged JSON"),
        ('{"a": ' + "1" * 5000 + "}", "a number is too long."),
    ],
)  # fmt: skip
def test_what_is_no_graph_is_one_line(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(RunError) as error:
        read_graph(path)
    assert says in str(error.value)
    assert str(error.value).count(str(path)) == 1
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda g: g["nodes"].append(g["nodes"][0]), "node 'E_7_0' is there 2 times."),
        (lambda g: g["links"].append(g["links"][0]), "the link E_7_0 > 0_5_1 is there twice."),
        (lambda g: g["links"][0].update(source="no"),
         "1 of 6 links have a source that is no node, such as 'no'."),
        (lambda g: g["links"][0].update(weight=float("inf")), "has the weight inf."),
        (lambda g: g["links"][0].pop("weight"), "the link E_7_0 > 0_5_1 has no weight."),
        (lambda g: g["nodes"][0].pop("ctx_idx"), "node 'E_7_0' has no ctx_idx that is a position."),
        (lambda g: g["nodes"][0].update(ctx_idx=9), "has the ctx_idx 9, and there are 2"),
        (lambda g: g["nodes"][1].pop("layer"), "node '0_5_1' has no layer."),
        (lambda g: g["nodes"][1].update(layer="x"), "has the layer 'x', not a number from 0."),
        (lambda g: g["nodes"][1].update(clerp=3), "has the clerp 3, not a text."),
        (lambda g: g["nodes"][1].update(activation="x"), "has the activation 'x', not a number."),
        (lambda g: g["metadata"].pop("prompt_tokens"), "have no prompt_tokens, a list of texts."),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_graph_is_said(change: Change, says: str, tmp_path: Path) -> None:
    graph = small()
    change(graph)
    with pytest.raises(RunError) as error:
        read_graph(_written(graph, tmp_path))
    assert "looks like an attribution graph, but " in str(error.value)
    assert says in str(error.value)


def beyond(graph: dict[str, Any]) -> list[tuple[str, Any]]:
    """The same graph with much that no graph needs, in each place where it may stand."""
    much = ["x" * 600] * 5
    return [
        ("metadata", graph | {"metadata": graph["metadata"] | {"more": much}}),
        ("qParams", graph | {"qParams": {"more": much}}),
        ("vendor", graph | {"vendor": much}),
        ("nodes", graph | {"nodes": [node | {"vendor": much[:2]} for node in graph["nodes"]]}),
        ("links", graph | {"links": [link | {"vendor": much[:2]} for link in graph["links"]]}),
        ("aaaaa", {"a" * 3000: 1} | graph),
    ]


@pytest.mark.parametrize("place", range(6))
def test_all_that_no_graph_needs_has_one_bound(
    place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, graph = beyond(small())[place]
    path = _written(graph, tmp_path)
    assert len(read_graph(path).nodes) == 5
    monkeypatch.setattr(reading, "MOST_BESIDE", 1000)
    assert len(read_graph(_written(small(), tmp_path)).nodes) == 5
    with pytest.raises(RunError, match=rf"^'.*with its '{key}.* has more than 0 MiB of") as error:
        read_graph(_written(graph, tmp_path))
    assert len(str(error.value)) < 300 + len(str(path))


def test_another_kind_of_file_that_is_too_long_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_BESIDE", 1000)
    with pytest.raises(RunError, match="it looks like Cytoscape JSON"):
        read_graph(_written({"elements": "x" * 2000}, tmp_path))


def test_what_unpacks_to_too_much_is_not_read_further(tmp_path: Path) -> None:
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(gzip.compress(b'{"a": ' + b" " * (20 << 20) + b"1}"))
    with pytest.raises(RunError, match="unpacks to more than 200 times its length"):
        read_graph(path)


def test_attention_comes_before_the_mlp_of_its_layer() -> None:
    def depth(kind: str, layer: int) -> tuple[int, int]:
        raw = {
            "node_id": "a",
            "feature_type": kind,
            "layer": str(layer),
            "ctx_idx": 0,
            "feature": 3,
        }
        return read_node(raw).depth

    mlp, attention = "cross layer transcoder", "lorsa"
    assert depth(attention, 1) < depth(mlp, 1) < depth(attention, 2)
    assert depth("embedding", 0) < depth(attention, 0)
