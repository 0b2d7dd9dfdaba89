#!/usr/bin/env bash
# SKIP and LIMIT are applied before DISTINCT: of three layers asked for, one comes.
#
# Guess:    RETURN DISTINCT n.layer ORDER BY n.layer LIMIT 3 gives the first three of four layers, as
#           in openCypher, where DISTINCT is part of the projection and LIMIT comes last.
# Instead:  the rows are sorted and cut first and then made distinct: five features of layer 0 come
#           first, the cut leaves three of them, and the answer is layer 0 alone. The same without
#           ORDER BY. Through a WITH the answer is right.
# Versions: latticedb 0.15.0.
# Who:      "the layers of this run, a page at a time": pages shrink or are empty, and a reader who
#           stops at the first short page loses the rest.
# Around:   WITH DISTINCT n.layer AS layer RETURN layer ORDER BY layer LIMIT 3.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check latticedb==0.15.0 numpy
venv/bin/python - <<'PY'
import sys

import latticedb

asked = {
    "RETURN DISTINCT n.layer AS layer ORDER BY layer": [0, 1, 2, 3],
    "RETURN DISTINCT n.layer AS layer ORDER BY layer LIMIT 3": [0],
    "RETURN DISTINCT n.layer AS layer ORDER BY layer SKIP 1 LIMIT 2": [0],
    "WITH DISTINCT n.layer AS layer RETURN layer ORDER BY layer LIMIT 3": [0, 1, 2],
}
changed = False
with latticedb.Database("run.lattice", create=True) as store:
    with store.write() as transaction:
        for i in range(20):
            transaction.create_node(labels=["F"], properties={"i": i, "layer": i // 5})
        transaction.commit()
    for text, expected in asked.items():
        rows = [row["layer"] for row in store.query(f"MATCH (n:F) {text}")]
        print(f"{text}: {rows}")
        changed |= rows != expected
print("latticedb", latticedb.version())
if changed:
    sys.exit("The behaviour has changed.")
PY
