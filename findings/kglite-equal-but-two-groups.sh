#!/usr/bin/env bash
# In kglite 1 = 1.0 is true, and yet they are two groups, two distinct values, and two keys.
#
# Guess:    what is equal is grouped together, as Neo4j does with 1 and 1.0 (one group, count 2).
# Instead:  grouping, DISTINCT and count(DISTINCT …) tell whole numbers from real ones, while =, IN
#           and ORDER BY do not.
# Versions: kglite 0.21.2.
# Who:      numbers that came from two places: a table of whole numbers and JSON, which has 1.0, or a
#           column of pandas that became float for one missing value. Sums by group are split in two.
# Around:   GROUP by toFloat(x), or write one type.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check kglite==0.21.2
venv/bin/python - <<'PY'
import sys

import kglite

graph = kglite.KnowledgeGraph()
seen = {}
for text in (
    "RETURN 1 = 1.0 AS x",
    "RETURN 1 IN [1.0] AS x",
    "UNWIND [1, 1.0] AS v WITH v, count(*) AS n RETURN collect(n) AS x",
    "UNWIND [1, 1.0] AS v RETURN count(DISTINCT v) AS x",
    "UNWIND [1, 1.0] AS v WITH toFloat(v) AS v, count(*) AS n RETURN collect(n) AS x",
):
    seen[text] = graph.cypher(text).to_list()[0]["x"]
    print(f"{text}: {seen[text]}")
print("kglite", kglite.__version__)
if [*seen.values()] != [True, True, [1, 1], 2, [2]]:
    sys.exit("The behaviour has changed.")
PY
