#!/usr/bin/env bash
# Katz centrality: beta, which scales all scores alike, changes their ratios, and no beta gives the right ones.
#
# Guess:    x = alpha A^T x + beta, scaled to length 1, so that beta does not matter, as in networkx.
# Instead:  on the chain 0 -> 1 with alpha 0.5 node 1 has 1.5 times the score of node 0 in networkx; here
#           6.5 times with the default beta of 0.1, twice with 1, 1.505 times with 100. The scores are
#           (1 + beta) K - 1, with K the Katz centrality of beta = 1: the order is right, the sizes are not.
# Versions: networkit 11.3, networkx 3.6.1, scipy 1.17.1.
# Who:      a share of the centrality, or scores from two tools side by side.
# Around:   (scores * norm + 1) / (1 + beta), or a beta of 1e9.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkit==11.3 networkx==3.6.1 scipy==1.17.1
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import networkit
import networkx

ALPHA = 0.5
BETAS = (0.1, 1.0, 100.0, 1e9)


def networkit_ratio(beta):
    graph = networkit.Graph(2, directed=True)
    graph.addEdge(0, 1)
    first, second = networkit.centrality.KatzCentrality(graph, ALPHA, beta, 1e-14).run().scores()
    return round(second / first, 4)


def networkx_ratio(beta):
    scores = networkx.katz_centrality_numpy(networkx.DiGraph([(0, 1)]), alpha=ALPHA, beta=beta)
    return round(float(scores[1] / scores[0]), 4)


print(*(f"{name} {version(name)}" for name in ("networkit", "networkx", "scipy")))
seen = [networkit_ratio(beta) for beta in BETAS]
known = [networkx_ratio(beta) for beta in BETAS]
for beta, ours, theirs in zip(BETAS, seen, known):
    print(f"beta {beta:<12g} networkit {ours}  networkx {theirs}")
if seen != [6.5, 2.0, 1.505, 1.5] or known != [1.5] * 4:
    sys.exit("The behaviour has changed.")
PY
