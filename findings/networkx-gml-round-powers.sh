#!/usr/bin/env bash
# igraph reads networkx's GML unless a number in it is exactly a power of ten.
#
# Guess:    a weight of 0.00001 is a number like any other: what holds for 0.000015 holds for it.
# Instead:  networkx writes 1.5E-05 for the one and, since GML wants a point, 1.E-05 for the other.
#           igraph's parser takes no point without a digit behind it: "Parse error in GML file". A
#           graph with many measured weights passes, one with a tolerance, a default or a rounded
#           value does not. networkx reads its own file.
# Versions: networkx 3.6.1, igraph 1.0.0.
# Who:      graphs with weights below 1e-4 or from 1e16 whose mantissa is a single digit: 1e-5, 2e-7.
# Around:   GraphML; or write_gml with a stringizer, or replace ".E" by ".0E" in the text.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check igraph==1.0.0 networkx==3.6.1
venv/bin/python - <<'PY'
import sys
from pathlib import Path

import igraph
import networkx


def read(path):
    try:
        return igraph.Graph.Read_GML(path).es[0]["weight"]
    except igraph.InternalError as error:
        return str(error).split(": ", 1)[1]


print("igraph", igraph.__version__, "networkx", networkx.__version__)
seen = {}
for weight in (0.001, 1.5e-05, 1e-05, 2e-07, 1e16):
    graph = networkx.DiGraph()
    graph.add_edge("a", "b", weight=weight)
    networkx.write_gml(graph, "g.gml")
    text = Path("g.gml").read_text()
    Path("mended.gml").write_text(text.replace(".E", ".0E"))
    (written,) = [line.split()[1] for line in text.splitlines() if "weight" in line]
    seen[weight] = read("g.gml")
    print(f"{weight!r:8} written {written:9s} igraph: {seen[weight]}; with .0E: {read('mended.gml')}")
    if networkx.read_gml("g.gml").edges["a", "b"]["weight"] != weight or read("mended.gml") != weight:
        sys.exit("The behaviour has changed.")
if [weight for weight, value in seen.items() if value != weight] != [1e-05, 2e-07, 1e16]:
    sys.exit("The behaviour has changed.")
PY
