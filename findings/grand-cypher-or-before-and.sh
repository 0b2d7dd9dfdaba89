#!/usr/bin/env bash
# `a OR b AND c` is read as `(a OR b) AND c`.
#
# Guess:    AND binds before OR, as in Cypher, SQL, Python and everywhere else.
# Instead:  conditions are taken in the order in which they stand: `i = 1 OR i = 2 AND i = 3` finds
#           nothing, `i = 2 AND i = 3 OR i = 1` finds node 1.
# Versions: grand-cypher 1.2.0, networkx 3.6.1; ladybug 0.22.0 and SQLite beside it.
# Who:      filters of two kinds ("this layer, or that one if strong"), copied from a Cypher store.
# Around:   brackets, always: `i = 1 OR (i = 2 AND i = 3)` is right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    grand-cypher==1.2.0 networkx==3.6.1 ladybug==0.22.0
venv/bin/python -W ignore - <<'PY'
import sqlite3
import sys
from importlib.metadata import version

import ladybug
import networkx
from grandcypher import GrandCypher

graph = networkx.DiGraph()
graph.add_nodes_from((i, {"i": i}) for i in (1, 2, 3))
store = ladybug.Connection(ladybug.Database("store"))
store.execute("CREATE NODE TABLE F(i INT64 PRIMARY KEY)")
table = sqlite3.connect(":memory:")
table.execute("CREATE TABLE F(i INTEGER)")
for i in graph:
    store.execute(f"CREATE (:F {{i: {i}}})")
    table.execute(f"INSERT INTO F VALUES ({i})")

print(*(f"{name} {version(name)}" for name in ("grand-cypher", "networkx", "ladybug")))
seen = []
for condition in (
    "n.i = 1 OR n.i = 2 AND n.i = 3",
    "n.i = 1 OR (n.i = 2 AND n.i = 3)",
    "n.i = 2 AND n.i = 3 OR n.i = 1",
):
    text = f"WHERE {condition} RETURN n.i"
    grand = sorted(GrandCypher(graph).run(f"MATCH (n) {text}")["n.i"])
    other = sorted(i for (i,) in store.execute(f"MATCH (n:F) {text}"))
    sqlite = sorted(i for (i,) in table.execute(f"SELECT n.i FROM F AS n WHERE {condition}"))
    seen.append((grand, other, sqlite))
    print(f"{condition:32s} grand-cypher {grand}, ladybug {other}, SQLite {sqlite}")
if seen != [([], [1], [1]), ([1], [1], [1]), ([1], [1], [1])]:
    sys.exit("The behaviour has changed.")
PY
