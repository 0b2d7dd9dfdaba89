#!/usr/bin/env bash
# One infinite number and the columns of an answer are gone: the row is a string that is not JSON.
#
# Guess:    RETURN max(n.cost) AS m gives {'m': inf} where a cost is infinite, as RETURN n.cost AS m
#           does; or an error.
# Instead:  an infinite number out of an aggregate or a RETURN without MATCH is printed as
#           `Infinity.0`, which Python's JSON refuses, and the whole answer comes back as one row with
#           one column `result`, a string. No error is raised; the other columns are in the string too.
# Versions: graphqlite 0.12.0.
# Who:      costs -log(share): a feature that nothing drives has cost infinity; row["m"] is a KeyError
#           far from the cause, and code that loops over columns takes the string.
# Around:   keep infinite costs out of the store, or return n.cost and aggregate in Python.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check graphqlite==0.12.0 pysqlite3-binary==0.5.4.post2
venv/bin/python - <<'PY'
import math
import sys

import graphqlite
from pysqlite3 import dbapi2  # some Pythons' own sqlite3 takes no extensions

connection = graphqlite.wrap(dbapi2.connect(":memory:"))
connection.cypher("CREATE (:F {i: 1, cost: 1.5})")
connection.cypher("CREATE (:F {i: 2})")
finite = list(connection.cypher("MATCH (n:F) RETURN max(n.cost) AS m, count(n) AS n"))
connection.cypher("MATCH (n:F {i: 2}) SET n.cost = 1e308 * 10")
row = list(connection.cypher("MATCH (n:F {i: 2}) RETURN n.cost AS m"))
most = list(connection.cypher("MATCH (n:F) RETURN max(n.cost) AS m, count(n) AS n"))
print("all finite, max:    ", finite)
print("one infinite, read: ", row)
print("one infinite, max:  ", most)
print("graphqlite", graphqlite.__version__)
if not (
    finite == [{"m": 1.5, "n": 2}]
    and row == [{"m": math.inf}]
    and len(most) == 1
    and list(most[0]) == ["result"]
    and "Infinity.0" in most[0]["result"]
):
    sys.exit("The behaviour has changed.")
PY
