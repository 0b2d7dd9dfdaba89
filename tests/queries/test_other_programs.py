"""Other programs read what is exported: graphology, Cytoscape.js and Gephi see the same graph.

They are fetched, each in the version that is named, into a folder beside the tests' own, so these
tests are exhaustive; without npm, mvn or a network they skip, or fail if CI=true.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lib_graph.support.tables import records_of
from queries.export import Format
from tests.queries.awkward import awkward_circuit, written

PACKAGES = ["graphology@0.26.0", "graphology-gexf@0.13.2", "graphology-graphml@0.5.2",
            "cytoscape@3.33.1"]  # fmt: skip
GEPHI = "org.gephi:gephi-toolkit:0.10.1:jar:all"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy"

JAVASCRIPT = """
const {DirectedGraph} = require('graphology');
const fs = require('fs');
const seen = {};
for (const format of ['graphml', 'gexf']) {
  const text = fs.readFileSync(`x.${format}`, 'utf8');
  const graph = require(`graphology-${format}`).parse(DirectedGraph, text);
  seen[format] = {
    nodes: graph.mapNodes((id, data) => ({id, ...data})),
    edges: graph.mapEdges((_, data, source, target) => ({source, target, ...data})),
  };
}
const told = JSON.parse(fs.readFileSync('x.cyjs'));
const cy = require('cytoscape')({headless: true, layout: {name: 'preset'}, ...told});
seen.cyjs = {
  nodes: cy.nodes().map(node => ({...node.data(), ...node.position()})),
  edges: cy.edges().map(edge => edge.data()),
};
console.log(JSON.stringify(seen));
"""

JAVA = """
import java.io.File;
import java.util.Base64;
import org.gephi.graph.api.*;
import org.gephi.io.importer.api.*;
import org.gephi.io.processor.plugin.DefaultProcessor;
import org.gephi.project.api.*;
import org.openide.util.Lookup;

public class Read {
    static <T> T the(Class<T> type) {
        return Lookup.getDefault().lookup(type);
    }

    static String of(Element element, Table table, String title) {
        for (Column column : table.toArray())
            if (column.getTitle().equals(title)) return text(element.getAttribute(column));
        throw new IllegalArgumentException("no column " + title);
    }

    static String text(Object value) {
        byte[] bytes = String.valueOf(value).getBytes(java.nio.charset.StandardCharsets.UTF_8);
        return Base64.getEncoder().encodeToString(bytes);
    }

    public static void main(String[] files) throws Exception {
        for (String file : files) {
            the(ProjectController.class).newProject();
            Workspace space = the(ProjectController.class).getCurrentWorkspace();
            Container container = the(ImportController.class).importFile(new File(file));
            the(ImportController.class).process(container, new DefaultProcessor(), space);
            Graph graph = the(GraphController.class).getGraphModel(space).getGraph();
            Table nodes = graph.getModel().getNodeTable();
            Table edges = graph.getModel().getEdgeTable();
            for (Node node : graph.getNodes())
                System.out.println(String.join(" ", file, "node", text(node.getId()),
                    text(node.getLabel()), of(node, nodes, "layer"),
                    of(node, nodes, "importance"), of(node, nodes, "constant")));
            for (Edge edge : graph.getEdges())
                System.out.println(String.join(" ", file, "edge", text(edge.getSource().getId()),
                    text(edge.getTarget().getId()), text(edge.getWeight()),
                    of(edge, edges, "share"), text(edge.isDirected())));
        }
        System.exit(0);
    }
}
"""


def needed(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"There is no {program}.")


def ran(folder: Path, *arguments: str, fetching: bool = False) -> str:
    found = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=300)
    if found.returncode and fetching:
        pytest.skip(f"{arguments[0]} fetches nothing ({(found.stderr or found.stdout)[-300:]})")
    assert not found.returncode, found.stderr[-2000:]
    return found.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the circuit in every format."""
    made = tmp_path_factory.mktemp("exported")
    formats: list[Format] = ["graphml", "gexf", "cyjs"]
    for format in formats:
        (made / f"x.{format}").write_bytes(written(awkward_circuit(), format))
    return made


@pytest.fixture(scope="module")
def in_javascript(folder: Path) -> dict[str, dict[str, list[dict[str, Any]]]]:
    needed("npm")
    ran(folder, "npm", "install", "--silent", "--no-fund", "--no-audit", *PACKAGES, fetching=True)
    seen: dict[str, dict[str, list[dict[str, Any]]]] = json.loads(
        ran(folder, "node", "-e", JAVASCRIPT)
    )
    return seen


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("format", ["graphml", "gexf", "cyjs"])
def test_graphology_and_cytoscape_see_the_same(
    format: str, in_javascript: dict[str, dict[str, list[dict[str, Any]]]]
) -> None:
    """Nodes, edges, and the types of what they hold; a number that is missing is not there."""
    circuit, found = awkward_circuit(), in_javascript[format]
    nodes = {node["id"]: node for node in found["nodes"]}
    assert list(nodes) == list(circuit.features["id"])
    assert len({node["label"] for node in nodes.values()}) == len(nodes)
    assert nodes["r/b/3"]["label"] == "]]>"
    for row in records_of(circuit.features):
        node = nodes[row["id"]]
        assert node["constant"] is (row["role"] == "constant")
        assert (node["layer"], node["layer_index"]) == (row["layer"], row["layer_index"])
        assert node.get("importance") == row["importance"]
    assert len({(node["x"], node["y"]) for node in nodes.values()}) == len(nodes)
    edges = {(edge["source"], edge["target"]): edge for edge in found["edges"]}
    assert list(edges) == circuit.pairs()
    for row in records_of(circuit.interactions):
        edge = edges[row["source"], row["target"]]
        assert edge["weight"] == row["strength"]
        assert (edge.get("share"), edge.get("effect")) == (row["share"], row["effect"])


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("format", ["graphml", "gexf"])
def test_gephi_sees_the_same(format: str, folder: Path) -> None:
    from base64 import b64decode

    for program in ("mvn", "javac"):
        needed(program)
    jar = "lib/gephi-toolkit-0.10.1-all.jar"
    if not (folder / jar).exists():
        ran(folder, "mvn", "-B", "-q", COPY, f"-Dartifact={GEPHI}", "-DoutputDirectory=lib",
            fetching=True)  # fmt: skip
        (folder / "Read.java").write_text(JAVA)
        ran(folder, "javac", "-cp", jar, "Read.java")
    printed = ran(folder, "java", "-Djava.awt.headless=true", "-cp", f"{jar}:.", "Read",
                  f"x.{format}")  # fmt: skip
    rows = [
        (line.split(" ")[1], *(b64decode(part).decode() for part in line.split(" ")[2:]))
        for line in printed.splitlines()
    ]
    circuit = awkward_circuit()
    nodes = {row[1]: row[2:] for row in rows if row[0] == "node"}
    edges = {(row[1], row[2]): row[3:] for row in rows if row[0] == "edge"}
    assert sorted(nodes) == sorted(circuit.features["id"])
    for row in records_of(circuit.features):
        label, layer, importance, constant = nodes[row["id"]]
        assert re.fullmatch(r"\S[\s\S]*", label)
        assert layer == row["layer"]
        assert (
            importance == "null"
            if row["importance"] is None
            else float(importance) == row["importance"]
        )
        assert constant == str(row["role"] == "constant").lower()
    assert len({row[0] for row in nodes.values()}) == len(nodes)
    assert sorted(edges) == sorted(circuit.pairs())
    for row in records_of(circuit.interactions):
        weight, share, directed = edges[row["source"], row["target"]]
        assert float(weight) == np.float32(row["strength"])  # Gephi's weights are floats
        assert share == "null" if row["share"] is None else float(share) == row["share"]
        assert directed == "true"
