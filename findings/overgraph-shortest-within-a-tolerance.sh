#!/usr/bin/env bash
# With small costs the shortest path is not the shortest: differences of about 1e-10 count as ties.
#
# Guess:    Dijkstra compares sums of doubles as they are, or within a relative error: multiplying all
#           costs by 1e-12 changes no path.
# Instead:  the tolerance is absolute. With costs 1, 1 against 3 the two steps win; with 1e-10, 1e-10
#           against 3e-10 shortest_path gives the direct edge, half as dear again, and
#           all_shortest_paths calls both shortest.
# Versions: overgraph 0.17.1.
# Who:      costs in units of one's own (-log of a share near 1, probabilities, squared distances).
# Around:   scale the costs so that the smallest difference that matters is far above 1e-9.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check overgraph==0.17.1
venv/bin/python - <<'PY'
import sys
from importlib.metadata import version

from overgraph import OverGraph

store = OverGraph.open("store")
seen = {}
for scale in (1.0, 1e-6, 1e-9, 1e-10, 1e-12):
    a, b, c = (store.upsert_node(["F"], f"{name}{scale}") for name in "abc")
    for source, target, cost in ((a, b, scale), (b, c, scale), (a, c, 3 * scale)):
        store.upsert_edge(source, target, "INTERACTS", props={"cost": cost})
    path = store.shortest_path(a, c, weight_field="cost")
    ties = store.all_shortest_paths(a, c, weight_field="cost")
    seen[scale] = (len(path.nodes) - 1, len(ties))
    print(f"{scale:g}, {scale:g} against {3 * scale:g}: cost {path.total_cost:g}, {seen[scale]} steps, ties")
print("overgraph", version("overgraph"))
store.close()
if seen != {1.0: (2, 1), 1e-6: (2, 1), 1e-9: (2, 1), 1e-10: (1, 2), 1e-12: (1, 2)}:
    sys.exit("The behaviour has changed.")
PY
