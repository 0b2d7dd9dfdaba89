#!/usr/bin/env bash
# ORDER BY a property that RETURN does not give under this very text does nothing.
#
# Guess:    `RETURN n.i ORDER BY n.s DESC LIMIT 1` is the node of the largest s, or an error.
# Instead:  the first node stored. Rows are sorted after RETURN, when n.s is no longer there, and what
#           is not there is equal. `RETURN n.s AS s ORDER BY n.s` is not sorted either.
# Versions: coordinode-embedded 4.0.1; ladybug 0.22.0 beside it.
# Who:      every "the k strongest": it answers k rows, not those. Rows stored strongest first hide it.
# Around:   order by the alias that RETURN gives, or `WITH n ORDER BY n.s DESC LIMIT 1 RETURN n.i`.
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

store = LocalClient(":memory:")
other = ladybug.Connection(ladybug.Database("store"))
other.execute("CREATE NODE TABLE F(i INT64 PRIMARY KEY, s DOUBLE)")
for i, s in ((1, 0.5), (2, 0.25), (3, 0.75)):
    for run in (store.cypher, other.execute):
        run(f"CREATE (:F {{i: {i}, s: {s}}})")

print(*(f"{name} {version(name)}" for name in ("coordinode-embedded", "ladybug")))
seen = []
for returned in (
    "RETURN n.i ORDER BY n.s DESC LIMIT 1",
    "RETURN n.i AS i, n.s AS s ORDER BY n.s DESC LIMIT 1",
    "RETURN n.i, n.s ORDER BY n.s DESC LIMIT 1",
    "RETURN n.i AS i, n.s AS s ORDER BY s DESC LIMIT 1",
    "WITH n ORDER BY n.s DESC LIMIT 1 RETURN n.i",
):
    text = f"MATCH (n:F) {returned}"
    first = next(iter(store.cypher(text)[0].values()))
    expected = list(other.execute(text))[0][0]
    seen.append((first, expected))
    print(f"{returned:52s} coordinode {first}, ladybug {expected}")
if seen != [(1, 3), (1, 3), (3, 3), (3, 3), (3, 3)]:
    sys.exit("The behaviour has changed.")
PY
