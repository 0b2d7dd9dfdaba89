#!/usr/bin/env bash
# sum(DISTINCT x) adds every value, also the repeated ones; count, avg and collect of DISTINCT do not.
#
# Guess:    sum, count, avg: sum(DISTINCT x) = count(DISTINCT x) * avg(DISTINCT x).
# Instead:  of 1, 2, 2, 3 the distinct sum is 8, beside a count of 3 and a mean of 2. Over paths, where a
#           node comes once a path, sum(DISTINCT c.v) of the one node with v = 9 is 18.
# Versions: samyama 1.12.0; kglite 0.21.2 beside it.
# Who:      what flows into the targets of several paths, each target once.
# Around:   WITH DISTINCT c, then sum(c.v).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check samyama==1.12.0 kglite==0.21.2
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import kglite
from samyama import SamyamaClient

MADE = "CREATE (a:F {v: 1.0}), (b:F {v: 2.0}), (c:F {v: 9.0}), (a)-[:I]->(c), (b)-[:I]->(c)"
TEXTS = {
    "listed": "UNWIND [1, 2, 2, 3] AS x RETURN sum(DISTINCT x) AS s, count(DISTINCT x) AS n",
    "paths": "MATCH (f:F)-[:I]->(c:F) RETURN sum(DISTINCT c.v) AS s, count(DISTINCT c) AS n",
    "around": "MATCH (f:F)-[:I]->(c:F) WITH DISTINCT c RETURN sum(c.v) AS s, count(c) AS n",
    "means": "UNWIND [1, 2, 2, 3] AS x RETURN avg(DISTINCT x) AS s, max(DISTINCT x) AS n",
}
client = SamyamaClient.embedded()
client.query(MADE)
beside = kglite.KnowledgeGraph()
beside.cypher(MADE)
seen = {
    name: (list(client.query(text).records[0]), list(dict(beside.cypher(text)[0]).values()))
    for name, text in TEXTS.items()
}
print(f"samyama {version('samyama')}, kglite {version('kglite')}")
for name, (first, second) in seen.items():
    print(f"{name:8s} samyama {first}  kglite {second}")
if [first for first, _ in seen.values()] != [[8, 3], [18, 1], [9, 1], [2, 3]] or [
    second for _, second in seen.values()
] != [[6, 3], [9, 1], [9, 1], [2, 3]]:
    sys.exit("The behaviour has changed.")
PY
