#!/usr/bin/env bash
# `partition.modularity` of a weighted leidenalg partition is computed without the weights.
#
# Guess:    find_partition(graph, ModularityVertexPartition, weights=w) maximises modularity, and
#           partition.modularity is what it has reached: the same as partition.quality().
# Instead:  quality() has the weights, .modularity has not: it is igraph's attribute of any
#           clustering, which knows no weights unless told. It can be negative for a partition whose
#           modularity is large. igraph's own community_leiden passes the weights on.
# Versions: leidenalg 0.12.0, igraph 1.0.0.
# Who:      whoever reports or compares "the modularity" of weighted communities.
# Around:   partition.quality(), or graph.modularity(partition, weights=w).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check leidenalg==0.12.0 igraph==1.0.0
venv/bin/python - <<'PY'
import sys

import igraph
import leidenalg

# Three heavy pairs, all six nodes joined by light edges.
graph = igraph.Graph.Full(6)
heavy = {(0, 1), (2, 3), (4, 5)}
graph.es["weight"] = [20.0 if edge.tuple in heavy else 0.5 for edge in graph.es]
partition = leidenalg.find_partition(
    graph, leidenalg.ModularityVertexPartition, weights="weight", seed=0
)
own = graph.community_leiden("modularity", weights="weight", n_iterations=10)

print("leidenalg", leidenalg.__version__, "igraph", igraph.__version__)
print("communities           ", list(partition))
print("partition.quality()   ", partition.quality())
print("partition.modularity  ", partition.modularity)
print("igraph, with weights  ", graph.modularity(partition, weights="weight"))
print("community_leiden's own", own.modularity, list(own))
weighted = graph.modularity(partition, weights="weight")
if not (abs(partition.quality() - weighted) < 1e-12 and partition.modularity < 0 < 0.4 < weighted):
    sys.exit("The behaviour has changed.")
if abs(own.modularity - weighted) > 1e-12:
    sys.exit("The behaviour has changed.")
PY
