#!/usr/bin/env bash
# UNWIND [3, 1, 2] AS x RETURN x ORDER BY x DESC LIMIT 1 gives 3, 1 and 2, in this order.
#
# Guess:    3 alone, as behind MATCH; where a clause is not understood an error says so, as for XOR.
# Instead:  in a RETURN right behind UNWIND neither ORDER BY nor LIMIT does anything, with a MATCH before it
#           either. With a WITH between them it is right.
# Versions: grafitodb 0.8.6; kglite 0.21.2 beside it.
# Who:      the strongest of a list of scores: the first row of the answer is the list's first.
# Around:   UNWIND list AS x WITH x ORDER BY x DESC LIMIT 1 RETURN x.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check grafitodb==0.8.6 kglite==0.21.2
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import kglite
from grafito import GrafitoDatabase

MADE = "CREATE (a:F {v: 1.5}), (b:F {v: 9.0}), (c:F {v: 4.0})"
TEXTS = {
    "list": "UNWIND [3, 1, 2] AS x RETURN x ORDER BY x DESC LIMIT 1",
    "nodes": "MATCH (n:F) UNWIND [n.v, -n.v] AS x RETURN x ORDER BY x DESC LIMIT 1",
    "matched": "MATCH (n:F) RETURN n.v AS x ORDER BY x DESC LIMIT 1",
    "around": "UNWIND [3, 1, 2] AS x WITH x ORDER BY x DESC LIMIT 1 RETURN x",
}
database = GrafitoDatabase(":memory:")
database.execute(MADE)
beside = kglite.KnowledgeGraph()
beside.cypher(MADE)
seen = {
    name: ([row["x"] for row in database.execute(text)], [dict(row)["x"] for row in beside.cypher(text)])
    for name, text in TEXTS.items()
}
print("grafitodb", version("grafitodb"), "kglite", version("kglite"))
for name, (first, second) in seen.items():
    print(f"{name:8s} grafito {first}  kglite {second}")
if [first for first, _ in seen.values()] != [[3, 1, 2], [1.5, -1.5, 9, -9, 4, -4], [9], [3]]:
    sys.exit("The behaviour has changed.")
if [second for _, second in seen.values()] != [[3], [9], [9], [3]]:
    sys.exit("The behaviour has changed.")
PY
