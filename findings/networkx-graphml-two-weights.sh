#!/usr/bin/env bash
# A weight of 1 beside one of 0.25 makes networkx's GraphML mean different things to each reader.
#
# Guess:    write_graphml of weights 1 and 0.25 declares one attribute `weight` of type double, as it
#           would for 1.0 and 0.25.
# Instead:  it declares two attributes of the name `weight`, a long and a double, and each edge has
#           one of them. networkx and rustworkx read both; igraph refuses the file ("Duplicate
#           attribute name"); NetworKit takes the doubles alone and gives the other edges
#           weight 0.0, without a word.
# Versions: networkx 3.6.1, igraph 1.0.0, networkit 11.3, rustworkx 0.18.1.
# Who:      columns that are whole numbers by chance: counts set to 1 where not computed, JSON read
#           back (1.0 written as 1), `weight=1` as a default beside measured weights.
# Around:   float() every value, or write_graphml(..., infer_numeric_types=True): one double.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    networkx==3.6.1 igraph==1.0.0 networkit==11.3 rustworkx==0.18.1 numpy==2.4.6
venv/bin/python - <<'PY'
import re
import sys

import igraph
import networkit
import networkx
import rustworkx

graph = networkx.DiGraph()
graph.add_edge("a", "b", weight=1)
graph.add_edge("b", "a", weight=0.25)


def read(path):
    """The two weights by each reader, or what igraph has against the file."""
    with open(path) as file:
        keys = re.findall(r'attr.name="(\w+)" attr.type="(\w+)"', file.read())
    found = {"keys": keys, "networkx": [w for *_, w in networkx.read_graphml(path).edges(data="weight")]}
    found["rustworkx"] = [data["weight"] for data in rustworkx.read_graphml(path)[0].edges()]
    kit = networkit.graphio.GraphMLReader().read(path)
    found["networkit"] = [kit.weight(0, 1), kit.weight(1, 0)]
    try:
        found["igraph"] = igraph.Graph.Read_GraphML(path).es["weight"]
    except igraph.InternalError as error:
        found["igraph"] = str(error).split(". ")[0]
    return found


print(*(f"{m.__name__} {m.__version__}" for m in (networkx, igraph, networkit, rustworkx)))
networkx.write_graphml(graph, "mixed.graphml")
networkx.write_graphml(graph, "inferred.graphml", infer_numeric_types=True)
mixed, inferred = read("mixed.graphml"), read("inferred.graphml")
for name, value in mixed.items():
    print(f"{name:10s} {value}\n           with infer_numeric_types: {inferred[name]}")
if sorted(mixed["keys"]) != [("weight", "double"), ("weight", "long")]:
    sys.exit("The behaviour has changed.")
if mixed["networkx"] != [1, 0.25] or mixed["networkit"] != [0.0, 0.25] or "Duplicate" not in mixed["igraph"]:
    sys.exit("The behaviour has changed.")
if any(inferred[name] != [1.0, 0.25] for name in ("networkx", "rustworkx", "networkit", "igraph")):
    sys.exit("The behaviour has changed.")
PY
