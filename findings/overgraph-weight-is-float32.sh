#!/usr/bin/env bash
# An edge's weight is kept in float32, its properties in float64.
#
# Guess:    upsert_edge(weight=w) keeps a Python float as the properties of the same edge do, or says
#           that it does not fit.
# Instead:  0.1 comes back as 0.10000000149, 16777217 as 16777216, 1e-50 as 0 and 1e39 as infinity,
#           without a word; the same numbers given as props come back as they were.
# Versions: overgraph 0.17.1.
# Who:      every sum, mean, top-k and shortest path by weight: two paths of costs 1 and 1.00000001 are
#           one cost, a small share is no edge at all.
# Around:   put the number in props and name it: weight_field="strength".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check overgraph==0.17.1
venv/bin/python - <<'PY'
import math
import sys
from importlib.metadata import version

from overgraph import OverGraph

store = OverGraph.open("store")
a, b = (store.upsert_node(["F"], name) for name in "ab")
seen = {}
for number in (0.5, 0.1, 16777217.0, 1e-50, 1e39):
    edge = store.get_edge(store.upsert_edge(a, b, "INTERACTS", weight=number, props={"strength": number}))
    seen[number] = (edge.weight, edge.props["strength"])
    print(f"{number!r}: weight {edge.weight!r}, property {edge.props['strength']!r}")
print("overgraph", version("overgraph"))
store.close()
expected = {0.5: 0.5, 0.1: 0.10000000149011612, 16777217.0: 16777216.0, 1e-50: 0.0, 1e39: math.inf}
if seen != {number: (weight, number) for number, weight in expected.items()}:
    sys.exit("The behaviour has changed.")
PY
