#!/usr/bin/env bash
# Of the three largest, aggregated, one gets three others: ORDER BY is dropped before sum and collect.
#
# Guess:    WITH n ORDER BY n.strength DESC LIMIT 3 RETURN sum(n.strength) sums the three largest, as
#           openCypher says and as the same text without the sum lists them.
# Instead:  the sort is taken away as if the aggregate made it useless, the LIMIT stays: the first
#           three in storage order are summed, and collected. The rows alone are right.
# Versions: ladybug 0.22.0 (the successor of kuzu).
# Who:      "how much of the strength do the k strongest carry", "the k strongest as a list": a plain
#           number that is wrong, with no warning.
# Around:   let the rows come out and add them up in Python; or collect all, sorted, and take [1:k].
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ladybug==0.22.0
venv/bin/python - <<'PY'
import sys

import ladybug

connection = ladybug.Connection(ladybug.Database("store"))
connection.execute("CREATE NODE TABLE F(i INT64 PRIMARY KEY, strength DOUBLE)")
connection.execute("UNWIND range(1, 20) AS i CREATE (:F {i: i, strength: i * 0.5})")
top = "MATCH (n:F) WITH n ORDER BY n.strength DESC LIMIT 3 RETURN "
seen = {}
for what in ("n.strength", "sum(n.strength)", "collect(n.strength)"):
    seen[what] = connection.execute(top + what).get_all()
    print(f"{top}{what}: {seen[what]}")
print("ladybug", ladybug.__version__)
right = {"n.strength": [[10.0], [9.5], [9.0]]}
if seen != right | {"sum(n.strength)": [[3.0]], "collect(n.strength)": [[[0.5, 1.0, 1.5]]]}:
    sys.exit("The behaviour has changed.")
PY
