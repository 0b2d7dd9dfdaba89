#!/usr/bin/env bash
# In kglite a node without the property `label` answers its type, and `label IS NULL` is false.
#
# Guess:    a property that a node does not have is null, as in Neo4j, so `n.label IS NULL` finds the
#           nodes that nobody has labelled and coalesce(n.label, '?') gives '?'.
# Instead:  `label`, `type`, `name`, `title` are the store's own where a node lacks them: label and
#           type give the node's type, name and title a made-up text. Setting null explicitly does
#           the same; they appear in properties(n). Any other missing property is null.
# Versions: kglite 0.21.2.
# Who:      texts written for Neo4j, which ask for unlabelled nodes or group by label.
# Around:   store '' instead of null under these four names, or use another name.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check kglite==0.21.2
venv/bin/python - 2>/dev/null <<'PY'
import sys

import kglite

graph = kglite.KnowledgeGraph()
graph.cypher("CREATE (:Feature {id: 'a', label: 'k=15'}), (:Feature {id: 'b'}), (:Feature {id: 'c', label: null})")
seen = {}
for text in (
    "MATCH (n:Feature) RETURN n.id AS id, n.label AS label, n.type AS type, n.name AS name, n.other AS other",
    "MATCH (n:Feature) WHERE n.label IS NULL RETURN n.id AS id",
    "MATCH (n:Feature) RETURN coalesce(n.label, '?') AS label, count(*) AS nodes ORDER BY nodes",
):
    seen[text] = [tuple(row.values()) for row in graph.cypher(text).to_list()]
    print(text, *seen[text], sep="\n    ")
print("kglite", kglite.__version__)
if list(seen.values()) != [
    [
        ("a", "k=15", "Feature", "Feature_a", None),
        ("b", "Feature", "Feature", "Feature_b", None),
        ("c", "Feature", "Feature", "Feature_c", None),
    ],
    [],
    [("k=15", 1), ("Feature", 2)],
]:
    sys.exit("The behaviour has changed.")
PY
