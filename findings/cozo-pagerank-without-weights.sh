#!/usr/bin/env bash
# PageRank reads the weights that it is given and leaves them out.
#
# Guess:    `PageRank(*edge[from, to, weight])`, the form that the manual shows and that Cozo's
#           shortest paths and betweenness obey, is PageRank of the weighted graph.
# Instead:  the ranks are those of the graph without weights, to the digit, even where one edge has
#           1000 times the weight of the other. Dijkstra over the same relation uses them.
# Versions: cozo-embedded 0.7.6, pycozo 0.7.6, networkx 3.6.1 and numpy 2.4.6 beside it.
# Who:      importance of features by the strengths of their interactions: every interaction counts
#           the same, however weak.
# Around:   networkx.pagerank(weight=...), or igraph's, over the exported edges.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    cozo-embedded==0.7.6 pycozo==0.7.6 networkx==3.6.1 numpy==2.4.6 scipy==1.17.1
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import networkx
import numpy
from pycozo.client import Client

EDGES = [(0, 1, 1000.0), (0, 2, 1.0), (1, 3, 1.0), (2, 0, 1.0), (3, 0, 1.0), (3, 2, 1.0)]
store = Client(dataframe=False)
store.run(":create edge {a: Int, b: Int => w: Float}")
store.run("?[a, b, w] <- $rows :put edge {a, b => w}", {"rows": EDGES})


def cozo(columns):
    text = f"?[n, rank] <~ PageRank(*edge[{columns}], theta: 0.85, epsilon: 1e-7, iterations: 1000)"
    return [rank for _, rank in sorted(store.run(text)["rows"])]


def by_hand(weighted):
    """The fixed point as a linear system; no node here is without an edge out."""
    step = numpy.zeros((4, 4))
    for a, b, weight in EDGES:
        step[b, a] = weight if weighted else 1.0
    step /= step.sum(0)
    return numpy.linalg.solve(numpy.eye(4) - 0.85 * step, numpy.full(4, 0.15 / 4)).tolist()


graph = networkx.DiGraph()
graph.add_weighted_edges_from(EDGES)
ranks = networkx.pagerank(graph, weight="weight", tol=1e-12, max_iter=1000)
seen = {
    "cozo, with weights": cozo("a, b, w"),
    "cozo, without": cozo("a, b"),
    "by hand, without": by_hand(weighted=False),
    "by hand, with": by_hand(weighted=True),
    "networkx, with": [ranks[node] for node in range(4)],
}
path = store.run("s[] <- [[0]] t[] <- [[3]] ?[s, t, c, p] <~ ShortestPathDijkstra(*edge[a, b, w], s[], t[])")
print(*(f"{name} {version(name)}" for name in ("cozo-embedded", "pycozo", "networkx")))
for name, values in seen.items():
    print(f"{name:19s}", [round(value, 4) for value in values])
print("length of the path 0 1 3:", path["rows"][0][2])
near = lambda a, b: numpy.allclose(seen[a], seen[b], atol=1e-4)
if not near("cozo, with weights", "by hand, without") or not near("networkx, with", "by hand, with"):
    sys.exit("The behaviour has changed.")
if near("by hand, with", "by hand, without") or seen["cozo, with weights"] != seen["cozo, without"]:
    sys.exit("The behaviour has changed.")
if path["rows"][0][2] != 1001:
    sys.exit("The behaviour has changed.")
PY
