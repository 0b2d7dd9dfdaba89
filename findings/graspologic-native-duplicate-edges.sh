#!/usr/bin/env bash
# graspologic-native keeps the first of several edges between two nodes, and drops the others' weight.
#
# Guess:    (a, b, 1) and (b, a, 5) in one list are an edge of weight 6 in an undirected graph, as in
#           igraph, or an error.
# Instead:  its weight is 1, whichever direction the second has; the order of the list decides. The
#           modularity that it returns is that of the reduced graph, and so are the communities.
# Versions: graspologic-native 1.3.1 (this year's; leiden and modularity).
# Who:      Leiden over a directed graph by dropping the directions (a list of directed edges passed
#           on as it is), over layers or relationship types put one after the other.
# Around:   add parallel and opposite edges up first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check graspologic-native==1.3.1 igraph==1.0.0
venv/bin/python - <<'PY'
import sys
from importlib.metadata import version

import graspologic_native
import igraph

CYCLE = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")]
weak_first = [(s, t, 1.0) for s, t in CYCLE]
strong_later = [("b", "a", 9.0), ("d", "c", 9.0)]
LISTS = {
    "weak edges, then strong opposite ones": weak_first + strong_later,
    "strong opposite ones, then weak edges": strong_later + weak_first,
    "weak edges alone": weak_first,
    "added up": [(s, t, 10.0 if (t, s, 9.0) in strong_later else 1.0) for s, t in CYCLE],
}
PARTITION = {"a": 0, "b": 0, "c": 1, "d": 1}

print("graspologic-native", version("graspologic-native"), "igraph", igraph.__version__)
seen = {}
for name, edges in LISTS.items():
    graph = igraph.Graph.TupleList(edges, weights=True)
    members = [PARTITION[v] for v in graph.vs["name"]]
    here = graspologic_native.modularity(edges, PARTITION)
    seen[name] = round(here, 6), round(graph.modularity(members, weights="weight"), 6)
    found, _ = graspologic_native.leiden(edges, seed=0)
    print(f"{name:38s} Q of ab|cd: here {seen[name][0]}, igraph {seen[name][1]}; leiden's best Q {found:.6f}")
weak_then_strong, strong_then_weak, weak, added = seen.values()
if weak_then_strong != (weak[0], added[1]) or weak[0] == added[0] or strong_then_weak[0] in (weak[0], added[0]):
    sys.exit("The behaviour has changed.")
PY
