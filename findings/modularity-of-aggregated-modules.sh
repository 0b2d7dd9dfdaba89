#!/usr/bin/env bash
# Modularity with self-loops: drawn modules-as-nodes, a graph loses its Q in two libraries of five.
#
# Guess:    merging each module into a node, with the edges inside as a self-loop, leaves modularity
#           as it was (that is what Louvain and Leiden do between their rounds), and libraries that
#           agree on the graph agree on the merged one.
# Instead:  networkx, igraph and python-louvain keep Q = 0.444; scikit-network counts a loop of
#           weight w once (A_ii = w, not 2 w) and says 0.314; graspologic-native says -0.023.
# Versions: networkx 3.6.1, igraph 1.0.0, python-louvain 0.16, scikit-network 0.33.5,
#           graspologic-native 1.3.1.
# Who:      module graphs, coarse-graining, multi-level drawing; scores compared across libraries.
# Around:   compute Q on the graph before merging, or double the diagonal for scikit-network.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkx==3.6.1 igraph==1.0.0 \
    python-louvain==0.16 scikit-network==0.33.5 graspologic-native==1.3.1 numpy==2.4.6 scipy==1.17.1
venv/bin/python -W ignore - <<'PY'
import sys

import community
import graspologic_native
import igraph
import networkx
import numpy as np
import scipy.sparse
from sknetwork.clustering import get_modularity

club = networkx.karate_club_graph()
modules = networkx.community.louvain_communities(club, seed=1)
member = {node: i for i, nodes in enumerate(modules) for node in nodes}
merged = networkx.Graph()
for s, t, weight in club.edges(data="weight"):
    a, b = member[s], member[t]
    before = merged.get_edge_data(a, b, {"weight": 0})["weight"]
    merged.add_edge(a, b, weight=before + weight)


def modularities(graph, member):
    nodes = list(graph)
    edges = [(str(s), str(t), float(w)) for s, t, w in graph.edges(data="weight")]
    labels = np.array([member[node] for node in nodes])
    matrix = scipy.sparse.csr_matrix(networkx.to_scipy_sparse_array(graph, nodelist=nodes))
    doubled = matrix + scipy.sparse.diags(matrix.diagonal())
    graph_of_igraph = igraph.Graph.TupleList(edges, weights=True)
    members = [member[int(name)] for name in graph_of_igraph.vs["name"]]
    sets = [{node for node in nodes if member[node] == label} for label in set(labels.tolist())]
    return {
        "networkx": networkx.community.modularity(graph, sets),
        "igraph": graph_of_igraph.modularity(members, weights="weight"),
        "python-louvain": community.modularity(member, graph),
        "scikit-network": get_modularity(matrix, labels),
        "scikit-network, diagonal doubled": get_modularity(doubled.tocsr(), labels),
        "graspologic-native": graspologic_native.modularity(edges, {str(n): member[n] for n in nodes}),
    }


plain = modularities(club, member)
after = modularities(merged, {node: node for node in merged})
print("networkx", networkx.__version__, "igraph", igraph.__version__)
for name, value in plain.items():
    print(f"{name:33s} Q of the graph {value:9.6f}, of its modules as nodes {after[name]:9.6f}")
changed = [name for name in plain if abs(plain[name] - after[name]) > 1e-9]
if changed != ["scikit-network", "graspologic-native"] or max(plain.values()) - min(plain.values()) > 1e-9:
    sys.exit("The behaviour has changed.")
PY
