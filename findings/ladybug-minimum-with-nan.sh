#!/usr/bin/env bash
# In Ladybug the minimum of 1, NaN, 2 is 2.
#
# Guess:    NaN either wins (Neo4j's max, DuckDB's max), loses (pandas, polars), or spreads (numpy):
#           min is 1 or NaN, whatever the order of the rows.
# Instead:  a NaN in the middle makes min forget what came before it, one at the end is the min, one
#           at the start is the max. list_sort leaves all three lists as they are, and so does not
#           order them alike.
# Versions: ladybug 0.22.0 (the continuation of Kuzu); Neo4j 5.26 says min 1.0, max NaN for all three.
# Who:      properties with NaN for "not computed"; a whole-column minimum is silently too large.
# Around:   WHERE x = x (false for NaN) before any aggregate; store null instead.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ladybug==0.22.0
venv/bin/python - <<'PY'
import sys

import ladybug

connection = ladybug.Connection(ladybug.Database("graph"))
connection.execute("CREATE NODE TABLE Feature(id INT64 PRIMARY KEY, x DOUBLE)")


def ask(text):
    return connection.execute(text).get_all()


print("ladybug", ladybug.__version__)
seen = {}
for values in ("1.0, 2.0, 0.0/0.0", "1.0, 0.0/0.0, 2.0", "0.0/0.0, 1.0, 2.0"):
    ((seen[values], sort),) = ask(
        f"UNWIND [{values}] AS x WITH min(x) AS low, max(x) AS high"
        f" RETURN [low, high] AS both, list_sort([{values}])"
    )
    print(f"values {values:18s} [min, max] = {seen[values]}, list_sort {sort}")
for i, x in enumerate(("1.0", "0.0/0.0", "2.0")):
    connection.execute(f"CREATE (:Feature {{id: {i}, x: {x}}})")
((stored,),) = ask("MATCH (f:Feature) RETURN min(f.x)")
((filtered,),) = ask("MATCH (f:Feature) WHERE f.x = f.x RETURN min(f.x)")
print(f"stored 1.0, NaN, 2.0: min {stored}; with WHERE f.x = f.x: {filtered}")
middle, first = seen["1.0, 0.0/0.0, 2.0"], seen["0.0/0.0, 1.0, 2.0"]
if middle != [2.0, 2.0] or stored != 2.0 or filtered != 1.0 or first[0] != 1.0:
    sys.exit("The behaviour has changed.")
PY
