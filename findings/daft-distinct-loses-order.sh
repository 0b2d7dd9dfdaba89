#!/usr/bin/env bash
# SELECT DISTINCT x ... ORDER BY x DESC LIMIT 2 does not give the two greatest values.
#
# Guess:    ORDER BY is the last thing before LIMIT, as in every SQL.
# Instead:  the rows are sorted first and made distinct behind, which brings them into the order of a hash table,
#           and LIMIT takes two of that. ORDER BY beside a window function is lost in the same way.
#           Without DISTINCT, after GROUP BY, and as .distinct().sort() in Python it is right.
# Versions: daft 0.7.26, duckdb 2.0.1 beside it.
# Who:      the strongest different values of a column; any table of ranks put in order.
# Around:   GROUP BY x in place of DISTINCT; the query with the window as a subquery.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check daft==0.7.26 duckdb==2.0.1 pyarrow==25.0.1
venv/bin/python -W ignore - <<'PY'
import sys

import daft
import duckdb
import pyarrow

stored = pyarrow.table({"g": [n % 7 for n in range(200)], "x": [n % 100 for n in range(200)]})
frame = daft.from_arrow(stored)
TEXTS = {
    "plain": "SELECT x FROM frame ORDER BY x DESC",
    "DISTINCT": "SELECT DISTINCT x FROM frame ORDER BY x DESC",
    "GROUP BY": "SELECT x FROM frame GROUP BY x ORDER BY x DESC",
    "window": "SELECT x, rank() OVER (PARTITION BY g ORDER BY x) AS k FROM frame ORDER BY x DESC",
    "subquery": "SELECT x FROM (SELECT x, rank() OVER (PARTITION BY g ORDER BY x) AS k FROM frame) AS s ORDER BY x DESC",
}


def both(text):
    found = daft.sql(text, frame=frame).to_pydict()["x"]
    return found, [row[0] for row in duckdb.sql(text.replace("frame", "stored")).fetchall()]


print("daft", daft.__version__, "duckdb", duckdb.__version__)
kept = {}
for name, text in TEXTS.items():
    found, right = both(text)
    kept[name] = found == right
    print(f"{name:9s} daft {found[:6]}...  duckdb {right[:6]}...")
    if sorted(found) != sorted(right):
        sys.exit("The behaviour has changed.")
limited = [both(TEXTS["DISTINCT"] + f" LIMIT {count}") for count in (2, 10)]
print("DISTINCT and LIMIT 2: daft {}, duckdb {}".format(*limited[0]))
python = frame.select("x").distinct().sort("x", desc=True).to_pydict()["x"]
if kept != {"plain": True, "DISTINCT": False, "GROUP BY": True, "window": False, "subquery": True}:
    sys.exit("The behaviour has changed.")
if python != list(range(99, -1, -1)) or set(limited[1][0]) == set(limited[1][1]):
    sys.exit("The behaviour has changed.")
PY
