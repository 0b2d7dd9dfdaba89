#!/usr/bin/env bash
# The Jaccard similarity may be 3, and depends on which argument comes first.
#
# Guess:    shared members over all members, of sets (or of bags): between 0 and 1, and symmetric.
# Instead:  the union is one of sets, but each repeated member of the second argument counts as shared
#           again: [2] and [2, 2, 2] give 3, [2, 2, 2] and [2] give 1. Right if nothing is repeated.
# Versions: surrealdb 2.0.0 (its embedded engine).
# Who:      lists compared as sets: the modules or tokens of a feature; and any pair of 0/1 vectors,
#           the form that a function named vector::similarity::jaccard invites.
# Around:   array::distinct on both arguments.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check surrealdb==2.0.0
venv/bin/python - <<'PY'
import sys
from importlib.metadata import version

from surrealdb import Surreal

PAIRS = (([1, 2, 3], [2, 3, 4]), ([2], [2, 2, 2]), ([2, 2, 2], [2]), ([1, 2, 2], [2, 4]), ([2, 4], [1, 2, 2]))
print("surrealdb", version("surrealdb"))
seen = []
with Surreal("mem://") as store:
    store.use("test", "test")
    for a, b in PAIRS:
        found = store.query(f"RETURN vector::similarity::jaccard({a}, {b})")
        around = store.query(f"RETURN vector::similarity::jaccard({a}.distinct(), {b}.distinct())")
        exact = len(set(a) & set(b)) / len(set(a) | set(b))
        seen.append((found, around == exact))
        print(f"{a} {b}: {found:.4f}, of distinct members {around:.4f}, by hand {exact:.4f}")
if seen != [(0.5, True), (3.0, True), (1.0, True), (1 / 3, True), (2 / 3, True)]:
    sys.exit("The behaviour has changed.")
PY
