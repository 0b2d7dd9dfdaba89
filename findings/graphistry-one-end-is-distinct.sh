#!/usr/bin/env bash
# A path's end alone is listed once for each node, counted once for each path.
#
# Guess:    MATCH (a)-->(b) RETURN b.i has a row for each edge, as Cypher has it and as count(b) says.
# Instead:  when all columns are of one end of the pattern, the rows are those of the distinct nodes:
#           four for seven edges. With a column of the other end or of the edge, or in an aggregate,
#           there are seven.
# Versions: graphistry 0.61.2 (gfql with a Cypher text, pandas engine).
# Who:      in-degrees, sums over targets, histograms made from the rows in pandas: all too small, and
#           no warning; adding a column to look closer changes the number of rows.
# Around:   return the edge too, or aggregate in the text.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check graphistry==0.61.2
venv/bin/python -W ignore - <<'PY'
import sys

import graphistry
import pandas as pd

nodes = pd.DataFrame({"id": range(1, 7), "i": range(1, 7)})
edges = pd.DataFrame({"s": [1, 1, 2, 3, 3, 4, 1], "d": [3, 4, 4, 5, 6, 6, 6]})
graph = graphistry.nodes(nodes, "id").edges(edges, "s", "d")
asked = {
    "RETURN b.i AS b ORDER BY b": [[3], [4], [5], [6]],
    "RETURN b.i AS b, a.i AS a ORDER BY b, a": [
        [3, 1], [4, 1], [4, 2], [5, 3], [6, 1], [6, 3], [6, 4],
    ],
    "RETURN count(b) AS n": [[7]],
    "RETURN sum(b.i) AS n": [[34]],
}
changed = False
for text, expected in asked.items():
    rows = graph.gfql(f"MATCH (a)-->(b) {text}")._nodes.to_numpy().tolist()
    print(f"MATCH (a)-->(b) {text}: {rows}")
    changed |= rows != expected
print("graphistry", graphistry.__version__)
if changed:
    sys.exit("The behaviour has changed.")
PY
