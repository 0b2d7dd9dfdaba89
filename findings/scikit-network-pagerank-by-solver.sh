#!/usr/bin/env bash
# Six solvers of PageRank give four different answers where a node has no way out, as in every layered graph.
#
# Guess:    the solver is a matter of speed, and all give what networkx gives.
# Instead:  on the chain 0 -> 1 -> 2 three solvers, the default among them, give the last node 0.74 to 0.75
#           in place of 0.474, and 'push' 0.424; 'diteration' and 'RH' are right. None warns, none depends on
#           n_iter or tol. On a cycle, where each node has a way out, all but 'push' agree.
# Versions: scikit-network 0.33.5, networkx 3.6.1, scipy 1.17.1.
# Who:      features ranked by PageRank in a graph whose last layer drives nothing.
# Around:   solver="RH" or "diteration" with n_iter of 100.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    scikit-network==0.33.5 networkx==3.6.1 scipy==1.17.1
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import networkx
import numpy
from scipy import sparse
from sknetwork.ranking import PageRank

SOLVERS = ("piteration", "lanczos", "bicgstab", "push", "diteration", "RH")


def ranks(edges):
    matrix = sparse.csr_matrix(([1.0] * len(edges), tuple(zip(*edges))), shape=(3, 3))
    graph = networkx.from_scipy_sparse_array(matrix, create_using=networkx.DiGraph)
    found = {s: PageRank(solver=s, n_iter=1000, tol=1e-10).fit_predict(matrix) for s in SOLVERS}
    known = list(networkx.pagerank(graph, tol=1e-12, max_iter=1000).values())
    return {"networkx": numpy.array(known), **found}


print(*(f"{name} {version(name)}" for name in ("scikit-network", "networkx", "scipy")))
chain, cycle = ranks([(0, 1), (1, 2)]), ranks([(0, 1), (1, 2), (2, 0)])
for name in chain:
    print(f"{name:10s} chain {chain[name].round(4)}  cycle {cycle[name].round(4)}")


def right(answers, solver):
    return numpy.allclose(answers[solver], answers["networkx"], atol=1e-3)


last = [round(float(chain[solver][2]), 3) for solver in SOLVERS]
if (
    [right(chain, solver) for solver in SOLVERS] != [False] * 4 + [True] * 2
    or not all(right(cycle, solver) for solver in SOLVERS if solver != "push")
    or last != [0.745, 0.745, 0.743, 0.424, 0.474, 0.474]
):
    sys.exit("The behaviour has changed.")
PY
