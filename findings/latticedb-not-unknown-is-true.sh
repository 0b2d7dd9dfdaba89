#!/usr/bin/env bash
# NOT (n.effect > 1) is true of a node that has no effect.
#
# Guess:    a comparison with a property that is not there is null, and NOT null is null, so WHERE
#           drops the row: the nodes with `effect > 1` and those with NOT are not all nodes.
# Instead:  the comparison is false, and NOT makes it true: nodes that were never measured are counted
#           among those with a small effect.
# Versions: latticedb 0.15.0.
# Who:      "features whose ablation does not hurt": features that were never ablated are among them.
# Around:   say that it must be there: WHERE n.effect IS NOT NULL AND NOT n.effect > 1, or n.effect <= 1.
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
    "n.effect > 1": [2],
    "n.effect <= 1": [1],
    "NOT n.effect > 1": [1, 3],
    "NOT (n.effect > 1)": [1, 3],
    "n.effect IS NOT NULL AND NOT n.effect > 1": [1],
}
changed = False
with latticedb.Database("run.lattice", create=True) as store:
    with store.write() as transaction:
        for properties in ({"i": 1, "effect": 0.5}, {"i": 2, "effect": 2.0}, {"i": 3}):
            transaction.create_node(labels=["F"], properties=properties)
        transaction.commit()
    for where, expected in asked.items():
        rows = [row["i"] for row in store.query(f"MATCH (n:F) WHERE {where} RETURN n.i AS i ORDER BY i")]
        print(f"{where}: {rows}")
        changed |= rows != expected
print("latticedb", latticedb.version())
if changed:
    sys.exit("The behaviour has changed.")
PY
