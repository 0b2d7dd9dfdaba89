#!/usr/bin/env bash
# OPTIONAL MATCH takes a neighbour whose properties are not the ones asked for.
#
# Guess:    (n)-[r]->(m {i: 999}) and (n)-[r]->(m) WHERE m.i = 999 are one question, with MATCH as with
#           OPTIONAL MATCH: no such neighbour, so r and m are null.
# Instead:  after OPTIONAL the properties in braces are not looked at, on a node or a relationship:
#           the row holds the feature 2 where 999 was asked for. A label in the pattern is looked at,
#           WHERE is, and without OPTIONAL the braces are.
# Versions: graphqlite 0.12.0 (SQLite with Cypher).
# Who:      "each feature with its effect on output 5, if it has one": every feature gets one.
# Around:   after OPTIONAL MATCH write WHERE, never braces.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check graphqlite==0.12.0 pysqlite3-binary==0.5.4.post2
venv/bin/python - <<'PY'
import sys

import graphqlite
from pysqlite3 import dbapi2  # some Pythons' own sqlite3 takes no extensions

connection = graphqlite.wrap(dbapi2.connect(":memory:"))
connection.cypher("CREATE (:F {i: 1})-[:INTERACTS {strength: 2.0}]->(:F {i: 2})")
patterns = {
    "MATCH (n:F)-[r]->(m {i: 999})": [],
    "OPTIONAL MATCH (n:F)-[r]->(m) WHERE m.i = 999": [(None, None, None)],
    "MATCH (n:F) OPTIONAL MATCH (n)-[r]->(m) WHERE m.i = 999": [(1, None, None), (2, None, None)],
    "MATCH (n:F) OPTIONAL MATCH (n)-[r]->(m:G)": [(1, None, None), (2, None, None)],
    "MATCH (n:F) OPTIONAL MATCH (n)-[r]->(m {i: 999})": [(1, 2.0, 2), (2, None, None)],
    "MATCH (n:F) OPTIONAL MATCH (n)-[r {strength: 7.0}]->(m)": [(1, 2.0, 2), (2, None, None)],
}
changed = False
for pattern, expected in patterns.items():
    text = f"{pattern} RETURN n.i AS n, r.strength AS strength, m.i AS m ORDER BY n"
    rows = [(row["n"], row["strength"], row["m"]) for row in connection.cypher(text)]
    print(f"{pattern}: {rows}")
    changed |= rows != expected
print("graphqlite", graphqlite.__version__)
if changed:
    sys.exit("The behaviour has changed.")
PY
