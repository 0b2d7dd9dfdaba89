#!/usr/bin/env bash
# The matching of greatest weight does not see weights that are float.
#
# Guess:    `weight_prop="w"` names the weight, whatever kind of number it is (dijkstra, louvain and balance
#           of the same package take float; louvain takes nothing else).
# Instead:  only whole numbers count. Float weights are all taken as 1 without a word: of a path with weights
#           2.0, 9.0, 2.0 the matching is the two outer edges (4), with 2, 9, 2 the middle one (9).
# Versions: raphtory 0.17.0, networkx 3.6.1.
# Who:      pairing the features of two runs by their similarity.
# Around:   multiply by 1e9 and round to whole numbers.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check raphtory==0.17.0 networkx==3.6.1
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import networkx
from raphtory import Graph, algorithms

PATH = ["ab", "bc", "cd"]


def matched(weights):
    graph, known = Graph(), networkx.Graph()
    for (start, end), weight in zip(PATH, weights):
        graph.add_edge(0, start, end, {"w": weight})
        known.add_edge(start, end, w=weight)
    found = algorithms.max_weight_matching(graph, weight_prop="w", max_cardinality=False)
    right = networkx.max_weight_matching(known, weight="w")
    pairs = [ends for ends in PATH if any(f"({', '.join(way)})" in repr(found) for way in (ends, ends[::-1]))]
    return pairs, sorted("".join(sorted(ends)) for ends in right)


print("raphtory", version("raphtory"), "networkx", version("networkx"))
seen = [(weights, *matched(weights)) for weights in ((2, 9, 2), (2.0, 9.0, 2.0), (0.2, 0.9, 0.2))]
for weights, found, right in seen:
    print(f"weights {weights}: raphtory {found}, networkx {right}")
if [found for _, found, _ in seen] != [["bc"], ["ab", "cd"], ["ab", "cd"]] or any(
    right != ["bc"] for *_, right in seen
):
    sys.exit("The behaviour has changed.")
PY
