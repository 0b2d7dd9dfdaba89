#!/usr/bin/env bash
# Shortest paths and flows go against the arrows unless told otherwise, and the flow cannot be told.
#
# Guess:    algo.dijkstra, algo.bellmanFord, algo.kShortestPaths and algo.maxFlow of the same nodes, type
#           and weight follow the relationships, as Neo4j's GDS and networkx's DiGraph do.
# Instead:  from a to b, between which no directed path is, Dijkstra finds 1.0 and Bellman-Ford none. The four
#           "shortest paths" from a to e have two that go back through b. The maximum flow from a to e is
#           0.9, where 0.7 can go along the arrows. 'OUT' as a further argument helps for paths; maxFlow
#           takes none.
# Versions: arcadedb-embedded 26.10.2.post1, networkx 3.6.1.
# Who:      circuits as k shortest paths in a layered graph; how much can flow from a feature to an answer.
# Around:   'OUT' as the last argument of dijkstra and kShortestPaths; bellmanFord; the flow elsewhere.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    arcadedb-embedded==26.10.2.post1 networkx==3.6.1
venv/bin/python -W ignore - 2> log <<'PY' || { tail -5 log >&2; exit 1; }
import sys
from importlib.metadata import version

import arcadedb_embedded
import networkx

EDGES = {"ac": 0.6, "ad": 0.3, "bc": 0.4, "bd": 0.7, "ce": 0.9, "de": 0.1}
made = ", ".join(f"({n}:F {{id: '{n}'}})" for n in "abcde")
made += "".join(f", ({e[0]})-[:I {{s: {s}}}]->({e[1]})" for e, s in EDGES.items())
database = arcadedb_embedded.create_database("store")
with database.transaction():
    database.command("opencypher", f"CREATE {made}")
graph = networkx.DiGraph()
graph.add_weighted_edges_from((e[0], e[1], s) for e, s in EDGES.items())


def asked(ends, call, column):
    start, end = ends
    text = f"MATCH (x:F {{id: '{start}'}}), (y:F {{id: '{end}'}}) CALL {call} "
    name = "maxFlow" if "Flow" in call else "weight"
    rows = database.query("opencypher", f"{text} YIELD {column} RETURN {name} AS value")
    return [round(row.get("value"), 6) for row in rows]


seen = {
    "dijkstra a b": asked("ab", "algo.dijkstra(x, y, 'I', 's')", "path, weight"),
    "bellmanFord a b": asked("ab", "algo.bellmanFord(x, y, 'I', 's')", "path, weight"),
    "kShortestPaths a e": asked("ae", "algo.kShortestPaths(x, y, 9, 'I', 's')", "path, weight"),
    "the same, OUT": asked("ae", "algo.kShortestPaths(x, y, 9, 'I', 's', 'OUT')", "path, weight"),
    "maxFlow a e": asked("ae", "algo.maxFlow(x, y, 'I', 's')", "maxFlow"),
}
paths = networkx.shortest_simple_paths(graph, "a", "e", weight="weight")
known = {
    "paths a e": [round(networkx.path_weight(graph, path, "weight"), 6) for path in paths],
    "flow a e": round(networkx.maximum_flow_value(graph, "a", "e", "weight"), 6),
}
print(f"arcadedb-embedded {version('arcadedb-embedded')}, networkx {version('networkx')}")
for name, value in seen.items():
    print(f"{name:20s}", value)
print("networkx            ", known)
if list(seen.values()) != [[1.0], [], [0.4, 1.5, 1.8, 2.3], [0.4, 1.5], [0.9]] or list(
    known.values()
) != [[0.4, 1.5], 0.7]:
    sys.exit("The behaviour has changed.")
PY
