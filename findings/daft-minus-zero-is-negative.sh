#!/usr/bin/env bash
# -0.0 is not 0, is below 0 and is another group; only rank() puts both in one place.
#
# Guess:    IEEE 754's and SQL's comparison, as in DuckDB, polars and pyarrow: -0.0 = 0, and no number is below
#           0 and above every negative one.
# Instead:  WHERE z = 0 leaves -0.0 out, z < 0 takes it in, GROUP BY, DISTINCT and joins keep two zeros; so
#           does the same written in Python. rank() OVER (ORDER BY z) ties them.
# Versions: daft 0.7.26, duckdb 2.0.1.
# Who:      strengths of interaction that are rounded, or multiplied by -1: 0 * -1 counts as inhibition.
# Around:   abs(z) = 0, and z < -1e-300. z + 0.0, which gives 0.0 for -0.0, is struck out before it runs.
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

stored = pyarrow.table({"row": [0, 1, 2, 3], "z": [0.0, -0.0, 1.0, -1.0]})
frame = daft.from_arrow(stored)
TEXTS = {
    "z = 0": "SELECT row FROM frame WHERE z = 0",
    "z < 0": "SELECT row FROM frame WHERE z < 0",
    "z + 0.0 < 0": "SELECT row FROM frame WHERE z + 0.0 < 0",
    "abs(z) = 0": "SELECT row FROM frame WHERE abs(z) = 0",
    "z < -1e-300": "SELECT row FROM frame WHERE z < -1e-300",
    "groups": "SELECT count(*) AS n FROM frame GROUP BY z",
    "joined": "SELECT a.row AS r FROM frame AS a JOIN frame AS b ON a.z = b.z",
    "rank": "SELECT rank() OVER (ORDER BY z) AS k FROM frame",
}
FOUND = [[0], [1, 3], [1, 3], [0, 1], [3], [1, 1, 1, 1], [0, 1, 2, 3], [1, 2, 2, 4]]
RIGHT = [[0, 1], [3], [3], [0, 1], [3], [1, 1, 2], [0, 0, 1, 1, 2, 3], [1, 2, 2, 4]]


def by_daft(text):
    return sorted(next(iter(daft.sql(text, frame=frame).to_pydict().values())))


def by_duckdb(text):
    return sorted(value for (value,) in duckdb.sql(text.replace("frame", "stored")).fetchall())


print("daft", daft.__version__, "duckdb", duckdb.__version__)
seen = {name: (by_daft(text), by_duckdb(text)) for name, text in TEXTS.items()}
for name, (first, second) in seen.items():
    print(f"{name:12s} daft {first}  duckdb {second}")
python = frame.where(daft.col("z") < 0).to_pydict()["row"]
print("in Python, col('z') < 0:", python)
if [first for first, _ in seen.values()] != FOUND:
    sys.exit("The behaviour has changed.")
if [second for _, second in seen.values()] != RIGHT:
    sys.exit("The behaviour has changed.")
if python != [1, 3]:
    sys.exit("The behaviour has changed.")
PY
