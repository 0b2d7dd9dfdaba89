#!/usr/bin/env bash
# A node already found is forgotten where a further pattern ends in it.
#
# Guess:    `MATCH (x {i: 2}) MATCH (y {i: 1}) MATCH (x)-->(y)` asks whether 2 has an edge to 1; with a
#           comma in place of MATCH the name is one node as well.
# Instead:  at the end of a pattern, and after a comma anywhere, the name is any node, and takes the
#           old one's place: from 2 to 1 there is no edge and the answer is 2 to 3. A name that begins
#           a MATCH of its own is kept.
# Versions: coordinode-embedded 4.0.1; ladybug 0.22.0 beside it.
# Who:      "is there an edge", triangles, common inputs, all that is no single path: rows that look
#           like rows, and conditions asked for that do not hold in them.
# Around:   begin a MATCH with the known node; compare the other end with WHERE, under a new name.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check coordinode-embedded==4.0.1 ladybug==0.22.0
venv/bin/python - <<'PY'
import sys
from importlib.metadata import version

import ladybug
from coordinode_embedded import LocalClient

EDGES = [(1, 2), (2, 3), (1, 3)]
CASES = {
    "MATCH (x:F {i: 2}) MATCH (y:F {i: 1}) MATCH (x)-[:I]->(y)": "xy",
    "MATCH (x:F {i: 2}) MATCH (y:F {i: 1}) MATCH (x)-[:I]->(z:F) WHERE z.i = y.i": "xy",
    "MATCH (a:F {i: 2})-[:I]->(b:F) MATCH (x:F)-[:I]->(a)": "xab",
    "MATCH (a:F {i: 2})-[:I]->(b:F) MATCH (a)<-[:I]-(x:F)": "xab",
    "MATCH (x:F)-[:I]->(a:F), (a)-[:I]->(b:F)": "xab",
    "MATCH (x:F)-[:I]->(a:F) MATCH (a)-[:I]->(b:F)": "xab",
}
store = LocalClient(":memory:")
other = ladybug.Connection(ladybug.Database("store"))
other.execute("CREATE NODE TABLE F(i INT64 PRIMARY KEY)")
other.execute("CREATE REL TABLE I(FROM F TO F)")
for i in (1, 2, 3):
    store.cypher(f"CREATE (:F {{i: {i}}})")
    other.execute(f"CREATE (:F {{i: {i}}})")
for a, b in EDGES:
    for run in (store.cypher, other.execute):
        run(f"MATCH (x:F {{i: {a}}}) MATCH (y:F {{i: {b}}}) CREATE (x)-[:I]->(y)")

print(*(f"{name} {version(name)}" for name in ("coordinode-embedded", "ladybug")))
seen = []
for pattern, names in CASES.items():
    text = f"{pattern} RETURN {', '.join(f'{name}.i AS {name}' for name in names)}"
    rows = sorted(tuple(row[name] for name in names) for row in store.cypher(text))
    expected = sorted(map(tuple, other.execute(text)))
    seen.append((rows, expected))
    print(f"{pattern}\n  {' '.join(names)}: coordinode {rows}\n  {' ' * len(' '.join(names))}  ladybug    {expected}")
one = [(1, 2, 3)]
if [expected for _, expected in seen] != [[], [], one, one, one, one]:
    sys.exit("The behaviour has changed.")
found = [rows for rows, _ in seen]
product = sorted((x, a, b) for x, _ in EDGES for a, b in EDGES)
if found != [[(2, 3)], [], [(1, 2, 3), (1, 3, 3), (2, 3, 3)], one, product, one]:
    sys.exit("The behaviour has changed.")
PY
