#!/usr/bin/env bash
# Two arrows into one node and a WHERE that compares their tails: some rows come twice.
#
# Guess:    MATCH (a)-->(b)<--(c) WHERE a.i < c.i RETURN a.i, b.i, c.i lists each pair of inputs once:
#           half of the rows without the WHERE, as many as count(*) says.
# Instead:  six rows for four: pairs whose tail has two edges come twice. The WHERE joins the tails with
#           their edges once more. Without the WHERE, in count(*), and with both arrows in the same
#           direction the rows are right.
# Versions: graphistry 0.61.2 (gfql with a Cypher text, pandas engine).
# Who:      pairs of features that drive the same feature, each pair once: the usual text for "what
#           fires together"; weights by the number of rows are wrong.
# Around:   list both orders and filter in pandas, or drop_duplicates when pairs have one edge each.
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


def rows(text: str) -> list[list[int]]:
    found = graph.gfql(f"MATCH (a)-->(b)<--(c) {text}")._nodes.to_numpy().tolist()
    print(f"MATCH (a)-->(b)<--(c) {text}: {found}")
    return found


listed = "RETURN a.i AS a, b.i AS b, c.i AS c ORDER BY a, b, c"
everything = rows(listed)
half = rows(f"WHERE a.i < c.i {listed}")
count = rows("WHERE a.i < c.i RETURN count(*) AS n")
print("graphistry", graphistry.__version__)
right = [row for row in everything if row[0] < row[2]]
doubled = [[1, 4, 2], [1, 6, 3], [1, 6, 3], [1, 6, 4], [3, 6, 4], [3, 6, 4]]
if not (right == [[1, 4, 2], [1, 6, 3], [1, 6, 4], [3, 6, 4]] and half == doubled and count == [[4]]):
    sys.exit("The behaviour has changed.")
PY
