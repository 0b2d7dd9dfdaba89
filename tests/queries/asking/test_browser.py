"""The texts for Neo4j Browser: on a real server each gives a graph, and the right one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import neo4j
import neo4j.graph
import pytest

import ingest
import queries
from ingest import schema
from ingest.schema import NodeTable, RelationshipTable
from lib_graph.run import Run
from queries.asking.statements import CYPHER, Statement, read_text
from tests.conftest import Neo4j
from tests.queries.conftest import Answer
from tests.synthetic import random_run

BROWSER = CYPHER / "browser"
PAGE = CYPHER.parents[1] / "docs" / "neo4j.md"
TABLES = [getattr(schema, name) for name in schema.__all__]
STYLED = {"diameter", "color", "border-color", "border-width", "text-color-internal",
          "text-color-external", "font-size", "caption", "shaft-width", "padding"}  # fmt: skip
TARGET = "layer/3/1"
Pairs = set[tuple[str, str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return random_run(tmp_path_factory.mktemp("browser"), (6, 5, 4, 3), seed=4)


@pytest.fixture(scope="module")
def graph(neo4j_server: Neo4j, run: Run) -> Iterator[queries.Graph]:
    """A run with modules and a saved circuit, and another beside it."""
    neo4j_server.wipe()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in neo4j_server.settings.items():
            patch.setenv(name, value)
        ingest.load(random_run(run.path / "other", seed=5), neo4j_server.uri)
        ingest.load(run, neo4j_server.uri)
        with queries.open_graph(neo4j_server.uri, run.id) as opened:
            opened.save_communities(opened.communities())
            opened.circuits.save(opened.circuit(target=TARGET, min_share=0.2), "saved")
            yield opened


@pytest.fixture
def show(neo4j_server: Neo4j, run: Run) -> Iterator[Callable[..., neo4j.graph.Graph]]:
    """Run a text as Browser does: what it draws are the nodes and relationships of the answer."""
    with neo4j_server.driver() as driver:

        def shown(text: str, **parameters: object) -> neo4j.graph.Graph:
            return driver.execute_query(
                text, {"run": run.id, **parameters}, result_transformer_=neo4j.Result.graph
            )

        yield shown


def pairs(shown: neo4j.graph.Graph, *types: str) -> Pairs:
    wanted = types or ("INTERACTS",)
    return {
        (str(each.start_node["id"]), str(each.end_node["id"]))
        for each in shown.relationships
        if each.type in wanted and each.start_node is not None and each.end_node is not None
    }


pytestmark = pytest.mark.slow


@pytest.mark.neo4j
def test_a_circuit(graph: queries.Graph, show: Callable[..., neo4j.graph.Graph], run: Run) -> None:
    for least in (0.05, 0.2):
        found = graph.circuit(target=TARGET, min_share=least, min_importance=0.0)
        shown = show(read_text("browser/circuit"), target=f"{run.id}/{TARGET}", min_share=least)
        assert len(found) > 3
        assert pairs(shown) == set(found.pairs())
        assert {node["id"] for node in shown.nodes} == set(found.features["id"])
        pasted = show(found.pasted.text, **found.pasted.parameters)
        assert pairs(pasted) == set(found.pairs())


@pytest.mark.neo4j
def test_the_strongest_path(
    graph: queries.Graph, show: Callable[..., neo4j.graph.Graph], run: Run
) -> None:
    for index in (0, 1, 2):
        target = f"layer/3/{index}"
        (found,) = graph.paths(target=target, k=1, min_importance=0.0).paths
        shown = show(read_text("browser/strongest_path"), target=f"{run.id}/{target}")
        assert pairs(shown) == set(zip(found.path, found.path[1:], strict=False))
        assert {node["id"] for node in shown.nodes} == set(found.path)


@pytest.mark.neo4j
def test_a_module(graph: queries.Graph, show: Callable[..., neo4j.graph.Graph], run: Run) -> None:
    modules = graph.communities().communities
    assert len(modules) > 1
    inside = run.interactions.dropna(subset="share")
    for module in modules:
        shown = show(read_text("browser/module"), community=module.id, min_share=0.05)
        members = {node["id"] for node in shown.nodes if "Feature" in node.labels}
        assert members == set(module.members)
        ends = [
            tuple(f"{run.id}/{row[f'{end}_layer']}/{row[end]}" for end in ("source", "target"))
            for row in inside[inside.share >= 0.05].to_dict("records")
        ]
        assert pairs(shown) == {pair for pair in ends if members.issuperset(pair)}
        assert len(pairs(shown, "IN_COMMUNITY")) == len(members)


@pytest.mark.neo4j
def test_a_saved_circuit_and_the_layers(
    graph: queries.Graph, show: Callable[..., neo4j.graph.Graph], run: Run
) -> None:
    saved = graph.circuits.load("saved")
    assert pairs(show(read_text("browser/saved_circuit"), name="saved")) == set(saved.pairs())
    shown = show(read_text("browser/layers"))
    assert len(pairs(shown, "FEEDS")) == 3
    assert len(pairs(shown, "HAS_LAYER")) == len(shown.nodes) - 1 == 4


def test_the_page_names_every_text_and_the_style() -> None:
    page = PAGE.read_text(encoding="utf-8")
    files = sorted(path.name for path in BROWSER.iterdir())
    assert len(files) == 7
    assert [name for name in files if f"../queries/cypher/browser/{name}" not in page] == []


def test_every_text_has_a_title_and_an_example_of_each_parameter() -> None:
    for path in BROWSER.glob("*.cypher"):
        text = path.read_text(encoding="utf-8")
        body = "\n".join(line for line in text.splitlines() if not line.startswith("//"))
        assert ", as a graph" in text.splitlines()[0]
        examples = re.findall(r"^// :param (\w+) =>", text, re.MULTILINE)
        assert set(examples) == set(re.findall(r"\$(\w+)", body))


def test_the_style_is_of_what_is_in_the_graph() -> None:
    text = (BROWSER / "lib-graph.grass").read_text(encoding="utf-8")
    rules = dict(re.findall(r"^([\w.]+) \{\n((?:  [\w-]+: [^;\n]+;\n)+)\}\n", text, re.MULTILINE))
    assert "".join(f"{name} {{\n{body}}}\n" for name, body in rules.items()) == text
    nodes = {table.label: table for table in TABLES if isinstance(table, NodeTable)}
    types = {table.type: table for table in TABLES if isinstance(table, RelationshipTable)}
    for name, body in rules.items():
        kind, _, which = name.partition(".")
        known = {"node": nodes, "relationship": types}[kind]
        values = dict(re.findall(r"  ([\w-]+): (.+);", body))
        assert set(values) <= STYLED
        for key, value in values.items():
            wanted = r"#[0-9A-F]{6}" if "color" in key else r"\d+px" if key != "caption" else ".*"
            assert re.fullmatch(wanted, value), (name, key)
        if which:
            (caption,) = re.findall(r'^"\{(\w+)\}"$', values["caption"])
            assert caption in known[which].properties


def test_what_to_paste_is_marked(cli: Callable[..., Answer], tmp_path: Path, run: Run) -> None:
    store = tmp_path / "graph.kgl"
    ingest.load(run, store)
    for verb in (["circuit", "--target", TARGET], ["paths", "-k", "2"], ["query", "hubs"]):
        shown = cli(*verb, "--store", store, "--run", run.id, "--show-cypher").err
        steps, _, paste = shown.partition("// Paste this into Neo4j Browser\n")
        assert paste.startswith(f':param run => "{run.id}";')
        assert ("// Step 1 of " in steps) is (verb[0] != "query")
    modules = cli("communities", "--store", store, "--run", run.id, "--show-cypher").err
    assert "// Step 1 of " in modules
    assert "// Paste" not in modules
    assert Statement("RETURN 1 AS x", {}).for_browser() not in modules
