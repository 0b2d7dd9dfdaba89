#!/usr/bin/env bash
# The mean of a property is divided by all nodes, also those that do not have it.
#
# Guess:    AVG, like SUM, MIN and MAX, leaves out what is not there, and COUNT(n.s) counts the values.
# Instead:  of two values 0.5 and 0.25 on four nodes the sum is 0.75, the count 4 and the mean 0.1875,
#           which lies below the minimum.
# Versions: grand-cypher 1.2.0, networkx 3.6.1; ladybug 0.22.0 beside it.
# Who:      a mean over features of which only some have been measured, with no error and no null.
# Around:   WHERE n.s > -1e300 (a bound that every value keeps), then AVG and COUNT.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    grand-cypher==1.2.0 networkx==3.6.1 ladybug==0.22.0
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import ladybug
import networkx
from grandcypher import GrandCypher

VALUES = {1: 0.5, 2: 0.25, 3: None, 4: None}
ASKED = ("COUNT(n.s)", "SUM(n.s)", "AVG(n.s)", "MIN(n.s)", "MAX(n.s)")
graph = networkx.DiGraph()
store = ladybug.Connection(ladybug.Database("store"))
store.execute("CREATE NODE TABLE F(i INT64 PRIMARY KEY, s DOUBLE)")
for i, value in VALUES.items():
    graph.add_node(i, i=i, **({} if value is None else {"s": value}))
    store.execute("CREATE (:F {i: $i, s: $s})", {"i": i, "s": value})


def grand(where=""):
    answer = GrandCypher(graph).run(f"MATCH (n) {where} RETURN {', '.join(ASKED)}")
    return [answer[column][0] for column in ASKED]


seen = {
    "grand-cypher": grand(),
    "grand-cypher, with WHERE": grand("WHERE n.s > -1e300"),
    "ladybug": list(next(iter(store.execute(f"MATCH (n:F) RETURN {', '.join(ASKED)}")))),
}
print(*(f"{name} {version(name)}" for name in ("grand-cypher", "networkx", "ladybug")))
for name, answer in seen.items():
    print(f"{name:24s}", dict(zip(ASKED, answer)))
right = [2, 0.75, 0.375, 0.25, 0.5]
if list(seen.values()) != [[4, 0.75, 0.1875, 0.25, 0.5], right, right]:
    sys.exit("The behaviour has changed.")
PY
