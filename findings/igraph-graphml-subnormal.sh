#!/usr/bin/env bash
# igraph cannot read a GraphML file in which a number is tiny.
#
# Guess:    a weight of 1e-310 is read as 1e-310, or at worst as 0.
# Instead:  the whole file is refused: "Failed to parse real number. -- Integer or double overflow".
#           1e-307 is read. networkx and rustworkx read both.
# Versions: igraph 1.0.0, networkx 3.6.1, rustworkx 0.18.1.
# Who:      products of many probabilities, squares of small gradients, p-values: float64 numbers
#           below 2.2e-308 are ordinary numbers to Python, and one of them costs the graph.
# Around:   round such numbers to 0 before writing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    igraph==1.0.0 networkx==3.6.1 rustworkx==0.18.1 numpy==2.4.6
venv/bin/python - <<'PY'
import sys

import igraph
import networkx
import rustworkx


def read(reader, path):
    try:
        return reader(path)
    except igraph.InternalError as error:
        return str(error).split(": ", 1)[1]


print("igraph", igraph.__version__, "networkx", networkx.__version__, "rustworkx", rustworkx.__version__)
seen = {}
for weight in (1e-307, 1e-310):
    graph = networkx.DiGraph()
    graph.add_edge("a", "b", weight=weight)
    networkx.write_graphml(graph, "g.graphml")
    seen[weight] = {
        "networkx GraphML": networkx.read_graphml("g.graphml").edges["a", "b"]["weight"],
        "rustworkx GraphML": rustworkx.read_graphml("g.graphml")[0].edges()[0]["weight"],
        "igraph GraphML": read(lambda path: igraph.Graph.Read_GraphML(path).es[0]["weight"], "g.graphml"),
    }
    for reader, value in seen[weight].items():
        print(f"{weight}  {reader:18s} {value}")
if set(seen[1e-307].values()) != {1e-307}:
    sys.exit("The behaviour has changed.")
if [value for value in seen[1e-310].values() if value == 1e-310] != [1e-310] * 2:
    sys.exit("The behaviour has changed.")
if "overflow" not in seen[1e-310]["igraph GraphML"]:
    sys.exit("The behaviour has changed.")
PY
