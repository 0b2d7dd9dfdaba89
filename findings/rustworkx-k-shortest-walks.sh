#!/usr/bin/env bash
# rustworkx's k-th shortest path may go round a cycle.
#
# Guess:    k_shortest_path_lengths gives the lengths of the k-th shortest simple paths, as
#           networkx's shortest_simple_paths and igraph's get_k_shortest_paths do.
# Instead:  nodes may repeat: in a graph with 4 paths from s to t the 3rd "path" is
#           s a b a b t, and there is a 7th. Agreement for k = 1, 2 hides it.
# Versions: rustworkx 0.18.1, networkx 3.6.1, igraph 1.0.0.
# Who:      strongest paths in a graph with a cycle, however long (recurrent layers, modules as
#           nodes, undirected graphs, where every edge is a cycle of two).
# Around:   igraph.get_k_shortest_paths; in a graph without cycles the two are the same.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    rustworkx==0.18.1 networkx==3.6.1 igraph==1.0.0 numpy==2.4.6
venv/bin/python - <<'PY'
import sys

import igraph
import networkx
import rustworkx

EDGES = [("s", "a", 1.0), ("a", "b", 1.0), ("b", "t", 1.0), ("s", "b", 3.0), ("a", "t", 5.0), ("b", "a", 0.5)]
names = ["s", "a", "b", "t"]


def compare(edges):
    """Lengths of all simple paths from s to t by two libraries, and rustworkx's first seven."""
    graph = networkx.DiGraph()
    graph.add_weighted_edges_from(edges)
    paths = networkx.shortest_simple_paths(graph, "s", "t", weight="weight")
    simple = [networkx.path_weight(graph, path, "weight") for path in paths]

    other = igraph.Graph.TupleList(edges, directed=True, weights=True)
    found = other.get_k_shortest_paths("s", to="t", k=9, weights="weight", output="epath")
    again = [sum(other.es[edge]["weight"] for edge in path) for path in found]

    rust = rustworkx.PyDiGraph()
    rust.add_nodes_from(names)
    rust.add_edges_from([(names.index(s), names.index(t), w) for s, t, w in edges])
    kth = [rustworkx.digraph_k_shortest_path_lengths(rust, 0, k, float) for k in range(1, 8)]
    return simple, again, [dict(lengths).get(3) for lengths in kth]


print("rustworkx", rustworkx.__version__, "networkx", networkx.__version__, "igraph", igraph.__version__)
for name, edges in (("with the cycle a b a", EDGES), ("without", EDGES[:-1])):
    simple, again, walks = compare(edges)
    print(f"{name}: networkx {simple}, igraph {again}, rustworkx {walks}")
    if name == "without":
        same = walks[: len(simple)] == simple == again and not any(walks[len(simple) :])
    else:
        differs = simple == again == [3.0, 4.0, 6.0, 8.5] and walks[:4] == [3.0, 4.0, 4.5, 5.5]
if not (same and differs):
    sys.exit("The behaviour has changed.")
PY
