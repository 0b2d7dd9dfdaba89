#!/usr/bin/env bash
# In kglite a WHERE behind WITH sees the node that a new value took its name from.
#
# Guess:    `MATCH (n:T) WITH n.v AS n WHERE n > 1 RETURN n` gives the values above 1: from WITH on
#           n is the value, as in Neo4j.
# Instead:  no row comes back, and no error: the WHERE compares the node, although RETURN, ORDER BY,
#           arithmetic and aggregates behind the same WITH see the value. Another name, or a second
#           WITH before the WHERE, gives the right rows.
# Versions: kglite 0.21.2.
# Who:      texts that reuse a short name for what they need of a node, and believe an empty answer.
# Around:   give the value a name of its own.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check kglite==0.21.2
venv/bin/python - 2>/dev/null <<'PY'
import sys

import kglite

graph = kglite.KnowledgeGraph()
graph.cypher("CREATE (:T {id: 'a', v: 1}), (:T {id: 'b', v: 2}), (:T {id: 'c', v: 3})")
seen = []
for text in (
    "MATCH (n:T) WITH n.v AS n WHERE n > 1 RETURN n ORDER BY n",
    "MATCH (n:T) WITH n.v AS v WHERE v > 1 RETURN v ORDER BY v",
    "MATCH (n:T) WITH n.v AS n WITH n WHERE n > 1 RETURN n ORDER BY n",
    "MATCH (n:T) WITH n.v AS n RETURN n + 1 AS more ORDER BY more",
):
    seen.append([value for row in graph.cypher(text).to_list() for value in row.values()])
    print(text, seen[-1], sep="\n    ")
print("kglite", kglite.__version__)
if seen != [[], [2, 3], [2, 3], [2, 3, 4]]:
    sys.exit("The behaviour has changed.")
PY
