#!/usr/bin/env bash
# Two hops written out may go back over the relationship that they came by; the same two hops as *2 may not.
#
# Guess:    (x)-[:I]-()-[:I]-(z) and (x)-[:I*2]-(z) are one question, and a relationship is used once in a
#           pattern, as in Neo4j and kglite.
# Instead:  the first has x itself among its answers, once for each neighbour; the second does not. Of
#           features with a common target, (x)-[:I]->(y)<-[:I]-(z), half of the rows are a feature with itself.
# Versions: turingdb 3.0.2; kglite 0.21.2 beside it.
# Who:      how many pairs of features drive the same target.
# Around:   name both relationships, and WHERE r <> s.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check turingdb==3.0.2 kglite==0.21.2
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import kglite
from turingdb.embedded_client import EmbeddedClient

MADE = [
    "CREATE (:F {id: 'a'}), (:F {id: 'b'}), (:F {id: 'c'})",
    "MATCH (x:F {id: 'a'}), (y:F {id: 'c'}) CREATE (x)-[:I]->(y)",
    "MATCH (x:F {id: 'b'}), (y:F {id: 'c'}) CREATE (x)-[:I]->(y)",
]
TEXTS = {
    "written out": "MATCH (x:F {id: 'a'})-[:I]-()-[:I]-(z:F) RETURN z.id AS i ORDER BY i",
    "as *2": "MATCH (x:F {id: 'a'})-[:I*2]-(z:F) RETURN z.id AS i ORDER BY i",
    "common target": "MATCH (x:F)-[:I]->(y:F)<-[:I]-(z:F) RETURN x.id + z.id AS i ORDER BY i",
    "r <> s": "MATCH (x:F)-[r:I]->(y:F)<-[s:I]-(z:F) WHERE r <> s RETURN x.id + z.id AS i ORDER BY i",
}
client = EmbeddedClient("store")
client.query("CREATE GRAPH g")
client.set_graph("g")
client.checkout(change=str(client.query("CHANGE NEW").iloc[0, 0]))
beside = kglite.KnowledgeGraph()
for text in MADE:
    client.query(text)
    client.query("COMMIT")
    beside.cypher(text)
seen = {
    name: (client.query(text)["i"].tolist(), [row["i"] for row in beside.cypher(text)])
    for name, text in TEXTS.items()
}
print(f"turingdb {version('turingdb')}, kglite {version('kglite')}")
for name, (first, second) in seen.items():
    print(f"{name:14s} turingdb {first}  kglite {second}")
if [first for first, _ in seen.values()] != [["a", "b"], ["b"], ["aa", "ab", "ba", "bb"], ["ab", "ba"]] or [
    second for _, second in seen.values()
] != [["b"], ["b"], ["ab", "ba"], ["ab", "ba"]]:
    sys.exit("The behaviour has changed.")
PY
