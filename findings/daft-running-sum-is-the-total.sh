#!/usr/bin/env bash
# sum(x) OVER (PARTITION BY g ORDER BY row) is the total of the group in every row.
#
# Guess:    the running sum, 1, 3, 7, as the SQL standard says and every database has it: with ORDER BY a window
#           ends at the current row.
# Instead:  sum, avg, max and count go over the whole group and ORDER BY changes nothing, without a message;
#           row_number and lag of the same window do follow it. Without PARTITION BY it is refused.
# Versions: daft 0.7.26, duckdb 2.0.1 beside it.
# Who:      cumulative shares ("how many features make 90 % of the strength"): the first one does, always.
# Around:   ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW, written out.
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

stored = pyarrow.table({"g": ["a"] * 3 + ["b"] * 3, "row": list(range(6)), "x": [1, 2, 4, 8, 16, 32]})
frame = daft.from_arrow(stored)
SPAN = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
WINDOWS = {
    "sum": "sum(x) OVER (PARTITION BY g ORDER BY row)",
    "max": "max(x) OVER (PARTITION BY g ORDER BY row)",
    "row_number": "row_number() OVER (PARTITION BY g ORDER BY row)",
    "sum, written out": f"sum(x) OVER (PARTITION BY g ORDER BY row {SPAN})",
}


def both(window):
    found = daft.sql(f"SELECT row, {window} AS k FROM frame", frame=frame).to_pydict()
    rows = duckdb.sql(f"SELECT row, {window} AS k FROM stored ORDER BY row").fetchall()
    return [int(k) for _, k in sorted(zip(found["row"], found["k"]))], [int(k) for _, k in rows]


print("daft", daft.__version__, "duckdb", duckdb.__version__)
seen = {name: both(window) for name, window in WINDOWS.items()}
for name, (first, second) in seen.items():
    print(f"{name:16s} daft {first}  duckdb {second}")
if seen["sum"] != ([7, 7, 7, 56, 56, 56], [1, 3, 7, 8, 24, 56]):
    sys.exit("The behaviour has changed.")
if seen["max"] != ([4, 4, 4, 32, 32, 32], [1, 2, 4, 8, 16, 32]):
    sys.exit("The behaviour has changed.")
if any(seen[name][0] != seen[name][1] for name in ("row_number", "sum, written out")):
    sys.exit("The behaviour has changed.")
PY
