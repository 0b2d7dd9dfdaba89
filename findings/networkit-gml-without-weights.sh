#!/usr/bin/env bash
# A weighted graph written as GML has no weights, and no message says so.
#
# Guess:    writeGraph keeps the weights in every format that has a place for them, as it does in
#           GraphML, in its binary and in edge lists; GML's `value` or `weight` is such a place.
# Instead:  the GML holds sources and targets alone; NetworKit reads it as an unweighted graph, and
#           networkx and igraph find no weight either. Edge lists keep 6 digits, GraphML all.
# Versions: networkit 11.3, networkx 3.6.1, igraph 1.0.0.
# Who:      a graph handed on to Gephi, Cytoscape or yEd: layouts and modules of another graph.
# Around:   Format.GraphML or Format.NetworkitBinary.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    networkit==11.3 networkx==3.6.1 igraph==1.0.0 numpy==2.4.6 scipy==1.17.1
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import igraph
import networkit
import networkx

WEIGHTS = {(0, 1): 1 / 3, (1, 2): 1000.0, (0, 2): 1e-9}
graph = networkit.Graph(3, weighted=True, directed=True)
for (a, b), weight in WEIGHTS.items():
    graph.addEdge(a, b, weight)

seen = {}
for form in ("GML", "GraphML", "NetworkitBinary"):
    networkit.writeGraph(graph, f"g.{form}", networkit.Format[form])
    read = networkit.readGraph(f"g.{form}", networkit.Format[form])
    seen[form] = read.isWeighted(), [read.weight(a, b) for a, b in WEIGHTS]
networkit.writeGraph(graph, "g.list", networkit.Format.EdgeListTabZero)
read = networkit.graphio.EdgeListReader("\t", 0, directed=True).read("g.list")
seen["edge list"] = read.isWeighted(), [read.weight(a, b) for a, b in WEIGHTS]
other = [data for *_, data in networkx.read_gml("g.GML", label="id").edges(data=True)]
third = igraph.Graph.Read_GML("g.GML").es.attributes()

print(*(f"{name} {version(name)}" for name in ("networkit", "networkx", "igraph")))
print(f"{'written':16s} {list(WEIGHTS.values())}")
for form, (weighted, weights) in seen.items():
    print(f"{form:16s} {weights}, weighted: {weighted}")
print(f"The GML's edges for networkx: {other}; their attributes for igraph: {third}")
exact = (True, list(WEIGHTS.values()))
rounded = (True, [0.333333, 1000.0, 1e-9])
if list(seen.values()) != [(False, [1.0, 1.0, 1.0]), exact, exact, rounded]:
    sys.exit("The behaviour has changed.")
if other != [{}, {}, {}] or third:
    sys.exit("The behaviour has changed.")
PY
