#!/usr/bin/env bash
# Betweenness in a directed graph is half of what it is.
#
# Guess:    every shortest path counts once; in an undirected graph each pair is counted from both ends and
#           halved, in a directed one not.
# Instead:  it is halved in both: on the path 0 -> 1 -> 2 the middle node has 0.5, and 1 in networkx and
#           igraph. Without directions all three say 1.
# Versions: scikit-network 0.33.5, networkx 3.6.1, igraph 1.0.0, scipy 1.17.1.
# Who:      features by how many paths through them, compared with another tool's or a threshold on counts.
# Around:   twice the scores where the adjacency is not symmetric.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    scikit-network==0.33.5 networkx==3.6.1 igraph==1.0.0 scipy==1.17.1
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import igraph
import networkx
from scipy import sparse
from sknetwork.ranking import Betweenness

EDGES = [(0, 1), (1, 2)]


def middle(directed):
    graph = networkx.DiGraph(EDGES) if directed else networkx.Graph(EDGES)
    matrix = sparse.csr_matrix(networkx.to_scipy_sparse_array(graph, nodelist=range(3)))
    return {
        "scikit-network": float(Betweenness().fit_predict(matrix)[1]),
        "networkx": networkx.betweenness_centrality(graph, normalized=False)[1],
        "igraph": igraph.Graph(EDGES, directed=directed).betweenness()[1],
    }


print(*(f"{n} {version(n)}" for n in ("scikit-network", "networkx", "igraph", "scipy")))
print("directed  ", middle(directed=True))
print("undirected", middle(directed=False))
if list(middle(True).values()) != [0.5, 1, 1] or list(middle(False).values()) != [1, 1, 1]:
    sys.exit("The behaviour has changed.")
PY
