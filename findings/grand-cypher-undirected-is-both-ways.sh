#!/usr/bin/env bash
# `(x)-[]-(y)` finds only nodes with an edge each way.
#
# Guess:    a pattern without an arrow finds an edge whichever way it points, as in every Cypher:
#           three edges are six rows, of which node 2, with one in and one out, has two.
# Instead:  nothing at all; only where both (1, 2) and (2, 1) are edges is the pair found.
# Versions: grand-cypher 1.2.0, networkx 3.6.1; ladybug 0.22.0 beside it.
# Who:      "all that this feature interacts with" in a network without cycles: always empty.
# Around:   two queries, one an arrow each way; or run it on graph.to_undirected().to_directed().
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

EDGES = [(1, 2), (2, 3), (1, 3)]
graph = networkx.DiGraph(EDGES)
networkx.set_node_attributes(graph, {i: i for i in graph}, "i")
back = graph.copy()
back.add_edge(2, 1)
both = graph.to_undirected().to_directed()
store = ladybug.Connection(ladybug.Database("store"))
store.execute("CREATE NODE TABLE F(i INT64 PRIMARY KEY)")
store.execute("CREATE REL TABLE I(FROM F TO F)")
for i in graph:
    store.execute(f"CREATE (:F {{i: {i}}})")
for a, b in EDGES:
    store.execute(f"MATCH (x:F {{i: {a}}}), (y:F {{i: {b}}}) CREATE (x)-[:I]->(y)")


def grand(graph):
    answer = GrandCypher(graph).run("MATCH (x)-[]-(y) RETURN x.i, y.i")
    return sorted(zip(answer["x.i"], answer["y.i"]))


seen = {
    "grand-cypher": grand(graph),
    "grand-cypher, and 2 to 1": grand(back),
    "grand-cypher, both ways": grand(both),
    "ladybug": sorted(map(tuple, store.execute("MATCH (x:F)-[:I]-(y:F) RETURN x.i, y.i"))),
}
print(*(f"{name} {version(name)}" for name in ("grand-cypher", "networkx", "ladybug")))
for name, pairs in seen.items():
    print(f"{name:24s}", pairs)
all_pairs = sorted(EDGES + [(b, a) for a, b in EDGES])
if list(seen.values()) != [[], [(1, 2), (2, 1)], all_pairs, all_pairs]:
    sys.exit("The behaviour has changed.")
PY
