#!/usr/bin/env bash
# The modularity of a weighted hypergraph counts a weight of 0.9 as none and one of 1.9 as 1.
#
# Guess:    on edges of two nodes it is the graph's modularity, whatever the weights (with weights that are all
#           the same, or whole numbers, it is).
# Instead:  the weights are added up in arrays of whole numbers, in the part for the expected edges only. With
#           0.9 and 2 it is 0.328 in place of 0.108, and no scale of the weights is right but a whole one.
#           The partition that is best by it need not be the best one.
# Versions: hypernetx 2.4.3, networkx 3.6.1.
# Who:      communities of features by strength of interaction, where strengths are below 1.
# Around:   multiply the weights by 1e9 and round; modularity does not depend on their scale.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check hypernetx==2.4.3 networkx==3.6.1
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import hypernetx
import networkx
from hypernetx.algorithms import modularity

EDGES = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "e")]
PARTS = [{"a", "b", "c"}, {"d", "e"}]


def both(weights):
    properties = {number: {"weight": weight} for number, weight in enumerate(weights)}
    hypergraph = hypernetx.Hypergraph(dict(enumerate(map(list, EDGES))), edge_properties=properties)
    graph = networkx.Graph()
    graph.add_weighted_edges_from((*ends, weight) for ends, weight in zip(EDGES, weights))
    found = modularity(hypergraph, PARTS), networkx.community.modularity(graph, PARTS)
    return tuple(round(float(value), 4) for value in found)


CASES = {
    "all 0.5": [0.5] * 5,
    "1 to 5": [1, 2, 3, 4, 5],
    "0.9 and 2": [0.9, 2, 0.9, 2, 0.9],
    "1.5 to 3.3": [1.5, 2.9, 1.2, 1.9, 3.3],
    "the same, times 1e9": [1.5e9, 2.9e9, 1.2e9, 1.9e9, 3.3e9],
}
seen = {name: both(weights) for name, weights in CASES.items()}
print("hypernetx", version("hypernetx"), "networkx", version("networkx"))
for name, (first, second) in seen.items():
    print(f"weights {name:20s} hypernetx {first}  networkx {second}")
if [first == second for first, second in seen.values()] != [True, True, False, False, True]:
    sys.exit("The behaviour has changed.")
if seen["0.9 and 2"] != (0.3284, 0.1078) or seen["1.5 to 3.3"] != (0.4479, 0.3014):
    sys.exit("The behaviour has changed.")
PY
