#!/usr/bin/env bash
# Numbers are written with 15 digits: identifiers of 16 digits become one, 1/3 is not 1/3.
#
# Guess:    a graph written and read by the same library is the graph; in GraphML attr.type="double"
#           holds 17 digits, and whole numbers stay whole.
# Instead:  GraphML, GML and Pajek all round to 15 digits, whole Python integers as well:
#           1234567890123456 and 1234567890123457 both come back as 1234567890123460. NetworkX writes
#           the same graph to GraphML, and igraph reads it, without a loss.
# Versions: igraph 1.0.0, networkx 3.6.1.
# Who:      node ids that are hashes, packed positions or store ids; results compared after a file.
# Around:   identifiers as strings; GraphML by networkx; write_pickle.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check igraph==1.0.0 networkx==3.6.1
venv/bin/python -W ignore - <<'PY'
import sys

import igraph
import networkx

KEYS = [1234567890123456, 1234567890123457, 3]
WEIGHTS = [1 / 3, 0.1 + 0.2]
graph = igraph.Graph(n=3, edges=[(0, 1), (1, 2)], directed=True)
graph.vs["key"] = KEYS
graph.es["weight"] = WEIGHTS

print("igraph", igraph.__version__, "networkx", networkx.__version__)
seen = {}


def look(name, graph):
    keys = [int(key) for key in graph.vs["key"]] if "key" in graph.vs.attributes() else None
    weights = [float(weight) for weight in graph.es["weight"]]
    seen[name] = (keys, weights)
    print(f"{name:24s} keys {keys}, weights {weights}")


look("in memory", graph)
for form in ("graphml", "gml", "pajek", "pickle"):
    graph.write(f"g.{form}", format=form)
    look(form, igraph.Graph.Read(f"g.{form}", format=form))
networkx.write_graphml(graph.to_networkx(), "n.graphml")
look("graphml by networkx", igraph.Graph.Read("n.graphml", format="graphml"))

rounded = [1234567890123460, 1234567890123460, 3], [0.333333333333333, 0.3]
exact = KEYS, WEIGHTS
if seen.pop("pajek") != (None, rounded[1]):  # Pajek has no place for other properties of a node.
    sys.exit("The behaviour has changed.")
if list(seen.values()) != [exact, rounded, rounded, exact, exact]:
    sys.exit("The behaviour has changed.")
PY
