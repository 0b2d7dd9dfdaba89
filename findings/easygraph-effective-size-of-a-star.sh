#!/usr/bin/env bash
# A node between three strangers has an effective size of 1, one between three of whom two are linked 2.33.
#
# Guess:    Burt's effective size is the number of neighbours less their mean number of links to each other: 3
#           for the centre of a star, and less with every link.
# Instead:  where no two neighbours are linked it is 1, whatever their number, and the efficiency 1/3 in place
#           of 1: the purest broker comes out as having no structural hole. weight="anything", which the edges
#           need not have, takes another way and is right.
# Versions: Python-EasyGraph 1.6.3, networkx 3.6.1.
# Who:      features ranked as brokers between groups; in a graph of layers no neighbours may be linked at all.
# Around:   weight="anything", or networkx.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    networkx==3.6.1 numpy==2.4.6 scipy==1.17.1 matplotlib==3.11.2 tqdm requests fastjsonschema
# Without its requirements: it names torch, which these functions do not import.
venv/bin/pip install --quiet --disable-pip-version-check --no-deps Python-EasyGraph==1.6.3
venv/bin/python -W ignore - <<'PY'
import sys
from importlib.metadata import version

import easygraph
import networkx

STAR = [(0, 1), (0, 2), (0, 3)]
CASES = {"star": STAR, "one link": [*STAR, (1, 2)], "path": [(0, 1), (0, 2), (2, 3)]}


def sizes(edges):
    graph, known = easygraph.Graph(), networkx.Graph(edges)
    graph.add_edges(edges)
    found = easygraph.effective_size(graph)[0], easygraph.effective_size(graph, weight="none")[0]
    return *found, easygraph.efficiency(graph)[0], networkx.effective_size(known)[0]


print("Python-EasyGraph", version("Python-EasyGraph"), "networkx", version("networkx"))
seen = {name: [round(float(size), 3) for size in sizes(edges)] for name, edges in CASES.items()}
for name, (found, around, efficiency, right) in seen.items():
    print(f"{name:8s} size {found}, with a weight {around}, efficiency {efficiency}; networkx: size {right}")
if seen != {"star": [1, 3, 0.333, 3], "one link": [2.333, 2.333, 0.778, 2.333], "path": [1, 2, 0.5, 2]}:
    sys.exit("The behaviour has changed.")
PY
