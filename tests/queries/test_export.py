from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
import pandas as pd
import pytest

import ingest
import queries
from ingest.store import GraphStore
from lib_graph.errors import UsageError
from lib_graph.run import Run
from lib_graph.run.circuit import INTERACTION_COLUMNS
from lib_graph.support.tables import records_of, write_csv, write_json_rows, write_parquet
from lib_graph.support.texts import json_text
from queries.circuits.circuit import Circuit
from queries.export import Format, format_of
from queries.pictures.circuit import plot_circuit
from queries.report.page import render
from tests.loaded import load_once
from tests.queries.awkward import AWKWARD, awkward_circuit, written
from tests.queries.cli.test_reading import Cli
from tests.synthetic import random_run


@pytest.fixture
def run(store: GraphStore, tmp_path: Path) -> Run:
    run = random_run(tmp_path / "run")
    load_once(store, run)
    return run


def rows(path: Path) -> pd.DataFrame:
    readers = {
        ".parquet": pd.read_parquet,
        ".csv": lambda path: pd.read_csv(path, keep_default_na=False, na_values={"share": [""]}),
        ".json": lambda path: pd.DataFrame(json.loads(path.read_text())),
    }
    return readers[path.suffix](path)


@pytest.mark.parametrize("format", ["parquet", "csv", "json"])
@pytest.mark.parametrize("what", ["features", "interactions", "circuit"])
def test_rows_come_back_as_they_are_in_the_store(
    run: Run, store: GraphStore, store_target: str, cli: Cli, tmp_path: Path, what: str, format: str
) -> None:
    graph = queries.open_graph(store)
    out = tmp_path / f"{what}.{format}"
    circuit = graph.circuit(target="layer/3", min_share=0.1)
    expected = {
        "features": graph.features().frame,
        "interactions": pd.concat([table.frame for table in graph.sections()], ignore_index=True),
        "circuit": circuit.interactions,
    }[what]
    arguments = ["--target", "layer/3", "--min-share", 0.1] if what == "circuit" else []
    answer = cli(
        "export", what, "--format", format, "--out", out, "--store", store_target, *arguments
    )
    assert (answer.code, answer.out) == (0, "")
    if (what, format) == ("circuit", "json"):
        assert json.loads(out.read_text()) == circuit.json_value()
        return
    found = rows(out)
    assert list(found.columns) == list(expected.columns)
    for name in expected:
        if expected[name].dtype.kind == "f":
            left = pd.to_numeric(found[name]).astype(float)
            pd.testing.assert_series_equal(left, expected[name], rtol=1e-15)
        else:
            assert list(found[name]) == list(expected[name])


@pytest.mark.parametrize("what", ["features", "interactions", "circuit"])
def test_graphml_is_the_graph(
    run: Run, store: GraphStore, store_target: str, cli: Cli, tmp_path: Path, what: str
) -> None:
    out = tmp_path / "graph.graphml"
    target = ["--target", "layer/3"] if what == "circuit" else []
    cli("export", what, "--format", "graphml", "--out", out, *target, "--store", store_target)
    found = nx.read_graphml(out)
    graph = queries.open_graph(store)
    features = records_of(graph.features().frame)
    if what == "circuit":
        circuit = graph.circuit(target="layer/3")
        features, edges = records_of(circuit.features), circuit.records()
    else:
        sections = [table.records() for table in graph.sections()]
        edges = [row for section in sections for row in section] if what == "interactions" else []
    assert set(found.nodes) == {row["id"] for row in features}
    assert set(found.edges) == {(row["source"], row["target"]) for row in edges}
    for row in features:
        assert found.nodes[row["id"]]["layer"] == row["layer"]
        assert found.nodes[row["id"]].get("importance") == row["importance"]
    for row in edges:
        assert found.edges[row["source"], row["target"]]["strength"] == row["strength"]


def test_interactions_may_be_the_strong_ones_only(
    run: Run, store_target: str, cli: Cli, tmp_path: Path
) -> None:
    out = tmp_path / "strong.parquet"
    cli("export", "interactions", "--format", "parquet", "--out", out, "--min-strength", 1.5,
        "--store", store_target)  # fmt: skip
    strength = run.interactions["strength"]
    assert sorted(pd.read_parquet(out)["strength"]) == sorted(strength[strength >= 1.5])


def test_a_run_without_interactions_is_an_empty_table_with_columns(
    store: GraphStore, store_target: str, cli: Cli, tmp_path: Path
) -> None:
    ingest.load(random_run(tmp_path / "run", (2, 2, 2), density=0.0), store)
    for format in ("parquet", "csv"):
        out = tmp_path / f"none.{format}"
        cli("export", "interactions", "--format", format, "--out", out, "--store", store_target)
        found = rows(out)
        assert tuple(found.columns) == INTERACTION_COLUMNS
        assert len(found) == 0


def test_without_a_file_rows_go_to_stdout(run: Run, store_target: str, cli: Cli) -> None:
    answer = cli("export", "features", "--format", "csv", "--store", store_target)
    assert len(pd.read_csv(io.StringIO(answer.out))) == len(run.features)


def test_a_saved_circuit_is_exported_as_it_is(
    run: Run, store: GraphStore, store_target: str, cli: Cli, tmp_path: Path
) -> None:
    graph = queries.open_graph(store)
    saved = graph.circuits.save(graph.grow_circuit(target="layer/3", size=5), "five")
    out = tmp_path / "five.csv"
    typed = ("export", "circuit", "--saved", "five", "--store", store_target)
    assert cli(*typed, "--out", out).code == 0
    found = rows(out)
    assert set(zip(found["source"], found["target"], strict=True)) == set(saved.pairs())
    assert len(found) == 5
    for more in (["--target", "layer/3"], ["--min-share", 0.1]):
        answer = cli(*typed, *more, "--format", "csv")
        assert (answer.code, f"as it is, without {more[0]}." in answer.err) == (2, True)
    answer = cli("export", "features", *typed[2:], "--format", "csv")
    assert (answer.code, "--saved cannot be used for features" in answer.err) == (2, True)
    answer = cli("export", "circuit", "--store", store_target, "--format", "csv")
    assert (answer.code, "or --saved NAME" in answer.err) == (2, True)
    graph.circuits.delete("five")


def test_an_export_that_fails_leaves_the_file_as_it_was(
    run: Run, store_target: str, cli: Cli, tmp_path: Path
) -> None:
    out = tmp_path / "circuit.json"
    out.write_text("before")
    answer = cli("export", "circuit", "--target", "layer/3", "--min-share", 7, "--format", "json",
                 "--out", out, "--store", store_target)  # fmt: skip
    assert answer.code == 2
    assert out.read_text() == "before"
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_frames_with_the_same_columns_are_one_file() -> None:
    parts = [
        pd.DataFrame({"id": ["a", "b"], "share": [0.25, None], "path": [["x"], ["y", "z"]]}),
        pd.DataFrame({"id": ["c"], "share": [1e-300], "path": [[]]}),
    ]
    expected = [record for part in parts for record in records_of(part)]
    text = io.StringIO()
    write_json_rows(parts, text)
    assert json.loads(text.getvalue()) == expected
    text = io.StringIO()
    write_csv(parts, text)
    assert text.getvalue().splitlines() == [
        "id,share,path", 'a,0.25,"[""x""]"', 'b,,"[""y"", ""z""]"', "c,1e-300,[]",
    ]  # fmt: skip
    file = io.BytesIO()
    write_parquet(parts, file)
    found = pd.read_parquet(io.BytesIO(file.getvalue()))
    assert list(found["id"]) == ["a", "b", "c"]
    assert [list(path) for path in found["path"]] == [["x"], ["y", "z"], []]


@pytest.fixture(scope="module")
def awkward() -> Circuit:
    return awkward_circuit()


READERS: dict[str, Callable[[bytes], nx.DiGraph[str]]] = {
    "graphml": lambda data: nx.read_graphml(io.BytesIO(data)),
    "gexf": lambda data: nx.read_gexf(io.BytesIO(data)),
    "node-link": lambda data: nx.node_link_graph(json.loads(data), edges="edges"),
    "cyjs": lambda data: nx.cytoscape_graph(
        {"directed": True, "multigraph": False, **json.loads(data)}
    ),
}


@pytest.mark.parametrize("format", READERS)
def test_networkx_reads_what_was_written(awkward: Circuit, format: Format) -> None:
    found = READERS[format](written(awkward, format))
    assert set(found.nodes) == set(awkward.features["id"])
    assert set(found.edges) == set(awkward.pairs())
    labels = [found.nodes[each]["label"] for each in awkward.features["id"]]
    assert labels[:3] == ["r/a/0", "same (r/a/1)", "same (r/a/2)"]
    assert len({*labels}) == 8
    assert labels[3].startswith("a\ufffdb\ufffd[1m<&\"'>")
    assert labels[4:] == ["Δ – ü", "yes\nno", "$x_{", "]]>"]
    assert [found.nodes[each]["name"] for each in awkward.features["id"]] == labels
    for row in records_of(awkward.features):
        node = found.nodes[row["id"]]
        assert node["constant"] is (row["role"] == "constant")
        assert (node["layer"], node["layer_index"]) == (row["layer"], row["layer_index"])
        assert node.get("importance") == row["importance"]
    for row in records_of(awkward.interactions):
        edge = found.edges[row["source"], row["target"]]
        assert edge["weight"] == row["strength"]
        for name in ("effect", "share"):
            assert edge.get(name) == row[name]


READ_BACK = """
import json, sys, igraph, rustworkx
found = igraph.Graph.Read_GraphML(sys.argv[1])
(other,) = rustworkx.read_graphml(sys.argv[1])
print(json.dumps({
    "ids": [found.vs["id"], [node["id"] for node in other.nodes()]],
    "weights": [found.es["weight"], [edge["weight"] for edge in other.edges()]],
    "ends": [[found.vs[e.source]["id"], found.vs[e.target]["id"]] for e in found.es],
    "constant": found.vs["constant"],
    "run": other.attrs["run"],
}))
"""


@pytest.mark.slow
def test_igraph_and_rustworkx_read_the_same(awkward: Circuit, tmp_path: Path) -> None:
    """They do so in a process of their own: igraph, torch and kglite do not load into one."""
    (tmp_path / "x.graphml").write_bytes(written(awkward, "graphml"))
    arguments = [sys.executable, "-c", READ_BACK, str(tmp_path / "x.graphml")]
    found = json.loads(subprocess.run(arguments, capture_output=True, check=True).stdout)
    assert found["ids"] == [list(awkward.features["id"])] * 2
    assert found["weights"] == [[1.5, 0.1, 2e-9, 7.0]] * 2
    assert [tuple(ends) for ends in found["ends"]] == awkward.pairs()
    assert found["constant"] == [True, *[False] * 7]
    assert found["run"] == "r"


def test_features_stand_by_layer(awkward: Circuit) -> None:
    found = json.loads(written(awkward, "cyjs"))["elements"]["nodes"]
    places = [(each["position"]["x"], each["position"]["y"]) for each in found]
    assert len({*places}) == 8
    assert {x for x, _ in places[:4]} == {0.0}
    assert {x for x, _ in places[4:]} == {200.0}
    gexf = ElementTree.fromstring(written(awkward, "gexf"))
    viz = [each.get("x") for each in gexf.iter("{http://www.gexf.net/1.2draft/viz}position")]
    assert [float(x or "nan") for x in viz] == [x for x, _ in places]
    graphml = nx.read_graphml(io.BytesIO(written(awkward, "graphml")))
    assert [(node["x"], node["y"]) for _, node in graphml.nodes(data=True)] == places


def test_neuronpedia_takes_it(awkward: Circuit) -> None:
    """What its schema demands, and its frontends: one logit, and positions that are tokens."""
    found = json.loads(written(awkward, "neuronpedia"))
    metadata = found["metadata"]
    assert re.fullmatch(r"[a-zA-Z0-9_.-]+", metadata["slug"])
    assert re.fullmatch(r"[a-zA-Z0-9_.-]+", metadata["scan"])
    assert metadata["prompt_tokens"] == ["(all data)"]
    assert "not of one prompt" in metadata["info"]["description"]
    types = {"node_id": str, "feature": int, "layer": str, "ctx_idx": int, "feature_type": str,
             "jsNodeId": str, "clerp": str}  # fmt: skip
    for node in found["nodes"]:
        assert {name: type(node[name]) for name in types} == types
        assert node["ctx_idx"] < len(metadata["prompt_tokens"])
    logits = [node for node in found["nodes"] if node["feature_type"] == "logit"]
    assert len(logits) == 4
    assert all("(p=" in node["clerp"] for node in logits)
    ids = [node["node_id"] for node in found["nodes"]]
    assert len({*ids}) == 8
    ends = [(ids.index(each["source"]), ids.index(each["target"])) for each in found["links"]]
    assert ends == [(0, 4), (1, 4), (1, 7), (3, 5)]
    assert [each["weight"] for each in found["links"]] == [-1.0, 0.25, 2e-9, -3.0]
    assert found["nodes"][4]["feature"] == 2 * 3 // 2  # Cantor's pair of layer 2, feature 0


@pytest.mark.parametrize("format", ["json", "cyjs", "node-link", "neuronpedia"])
def test_json_is_json(awkward: Circuit, format: Format) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    odd = replace(awkward, query={"min_share": float("nan"), "most": float("inf")})
    json.loads(json_text(odd.interactions.to_dict("records")), parse_constant=refuse)
    if format != "json":
        json.loads(written(odd, format), parse_constant=refuse)


@pytest.mark.parametrize(
    ("out", "format", "says"),
    [
        ("c.gexf", "graphml", "'c.gexf' is not the name of a graphml file: .gexf says gexf"),
        ("c.json", "csv", "'c.json' is not the name of a csv file"),
        ("c.xyz", None, "Nothing says the format of 'c.xyz'. Give --format parquet|csv"),
        (None, None, "Nothing says the format of standard output"),
        ("c.json", "gml", "Format 'gml' not found. Closest: 'graphml'"),
    ],
)
def test_the_suffix_says_the_format(out: str | None, format: str | None, says: str) -> None:
    with pytest.raises(UsageError) as error:
        format_of(out, format)
    assert str(error.value).startswith(says)


def test_a_suffix_is_enough(run: Run, store_target: str, cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "circuit.gexf"
    answer = cli("export", "circuit", "--target", "layer/3", "--out", out, "--store", store_target)
    assert answer.code == 0
    found = nx.read_gexf(out)
    assert len(found.edges)
    assert f"run: {run.id}; run_name: {run.manifest.name}; model:" in out.read_text()
    answer = cli("export", "circuit", "--target", "layer/3", "--out", out, "--format", "csv",
                 "--store", store_target)  # fmt: skip
    assert (answer.code, answer.out) == (2, "")
    assert nx.utils.graphs_equal(nx.read_gexf(out), found)


@pytest.mark.parametrize(
    ("what", "option", "value"),
    [
        ("features", "--target", "layer/3"),
        ("interactions", "--min-share", "0.5"),
        ("circuit", "--min-strength", "1"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    what: str, option: str, value: str, store_target: str, cli: Cli, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    answer = cli("export", what, option, value, "--out", out, "--store", store_target)
    assert (answer.code, answer.out) == (2, "")
    assert f"{option} cannot be used for {what}." in answer.err
    assert not out.exists()


@pytest.mark.slow
def test_pictures_and_pages_are_well_formed_with_any_label(
    awkward: Circuit, tmp_path: Path
) -> None:
    plain = replace(awkward, features=awkward.features.assign(label=[
        label.replace("$x_{", "x").encode("utf-8", "replace").decode() for label in AWKWARD
    ]))  # fmt: skip
    plot_circuit(plain, tmp_path / "x.svg", title="bell \x07 and null \x00")
    text = "".join(ElementTree.parse(tmp_path / "x.svg").getroot().itertext())
    assert "\x07" not in (tmp_path / "x.svg").read_text()
    del text
    page = render("a\x00b", "c\x1bd", [])
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f]", page)
    assert "a\ufffdb" in page
