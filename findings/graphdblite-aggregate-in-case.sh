#!/usr/bin/env bash
# CASE WHEN sum(x) > 3 THEN 1 ELSE 0 END of 1, 2, 3 is 0, three times.
#
# Guess:    1, once: an aggregate inside an expression aggregates, as sum(x) > 3, sum(x) * 2 + 1,
#           coalesce(max(x), 0), head(collect(x)) and [sum(x), count(x)] do.
# Instead:  inside CASE and before [...] it is not seen: the rows stay what they were, and the aggregate is null
#           in each. collect(x)[0] is null once a row, grouped or not.
# Versions: graphdblite 0.1.2.
# Who:      the first or strongest per layer by collect(...)[0]; thresholds on sums.
# Around:   WITH sum(x) AS s, then CASE; head(collect(x)).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check graphdblite==0.1.2
venv/bin/python -W ignore - <<'PY'
import pathlib
import sys
from importlib.metadata import version

import graphdblite

ROWS = "UNWIND [1, 2, 3] AS x "
TEXTS = {
    "sum(x) > 3": ROWS + "RETURN sum(x) > 3 AS y",
    "CASE WHEN sum(x) > 3": ROWS + "RETURN CASE WHEN sum(x) > 3 THEN 1 ELSE 0 END AS y",
    "the same behind WITH": ROWS + "WITH sum(x) AS s RETURN CASE WHEN s > 3 THEN 1 ELSE 0 END AS y",
    "collect(x)[0]": ROWS + "RETURN collect(x)[0] AS y",
    "head(collect(x))": ROWS + "RETURN head(collect(x)) AS y",
}
database = graphdblite.Database(str(pathlib.Path("one.db").absolute()))
seen = {name: [row["y"] for row in database.query(text)] for name, text in TEXTS.items()}
print("graphdblite", version("graphdblite"))
for name, found in seen.items():
    print(f"{name:20s} {found}")
if list(seen.values()) != [[True], [0, 0, 0], [1], [None] * 3, [1]]:
    sys.exit("The behaviour has changed.")
PY
