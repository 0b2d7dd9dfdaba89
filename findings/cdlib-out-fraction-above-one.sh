#!/usr/bin/env bash
# The greatest fraction of a node's edges that leave its community is 4.
#
# Guess:    max_odf and avg_odf ("out degree fraction") are what their documentation and formula say: edges out of
#           the community over the node's degree, between 0 and 1.
# Instead:  they are numbers of edges, not divided by anything: in the karate club 4 and 3, and 0.65 on average
#           where it is 0.11. An average below 1 looks like a fraction. flake_odf is right.
# Versions: cdlib 0.4.1, networkx 3.6.1.
# Who:      communities compared by how closed they are: those with nodes of high degree look worse.
# Around:   nx.cut_size and degrees, by hand.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cdlib==0.4.1 networkx==3.6.1
venv/bin/python -W ignore - <<'PY' 2>/dev/null
import sys
from importlib.metadata import version

import networkx
from cdlib import NodeClustering, evaluation

graph = networkx.karate_club_graph()
sides = [[n for n, club in graph.nodes(data="club") if club == side] for side in ("Mr. Hi", "Officer")]
clubs = NodeClustering(sides, graph, "clubs", overlap=False)


def fractions(side):
    out = {n: sum(other not in side for other in graph[n]) for n in side}
    return [out[n] / graph.degree(n) for n in side], list(out.values())


print("cdlib", version("cdlib"), "networkx", version("networkx"))
known = [fractions(side) for side in sides]
greatest, mean = (f(graph, clubs, summary=False) for f in (evaluation.max_odf, evaluation.avg_odf))
flake = evaluation.flake_odf(graph, clubs, summary=False)
for side, found in enumerate(zip(greatest, mean)):
    shares, counts = known[side]
    print(f"club {side}: cdlib max {found[0]}, mean {found[1]:.3f}; ", end="")
    print(f"fractions max {max(shares):.3f}, mean {sum(shares) / len(shares):.3f}; ", end="")
    print(f"edges out max {max(counts)}, mean {sum(counts) / len(counts):.3f}")
if greatest != [max(counts) for _, counts in known] or sorted(greatest) != [3, 4]:
    sys.exit("The behaviour has changed.")
if [round(m, 9) for m in mean] != [round(sum(counts) / len(counts), 9) for _, counts in known]:
    sys.exit("The behaviour has changed.")
if flake != [sum(share > 0.5 for share in shares) / len(shares) for shares, _ in known]:
    sys.exit("The behaviour has changed.")
PY
