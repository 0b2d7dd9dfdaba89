#!/usr/bin/env bash
# A graph that is written with nothing pruned has links of weight 0, back and from a node to itself.
#
# Guess:    edge_threshold=1 keeps the effects that there are: a graph without circles, as with 0.98.
# Instead:  each pair of nodes becomes a link, whatever its weight: 8 effects, 36 links, 28 of weight
#           0, of which 6 lead from a node to itself and others back. Whoever orders the nodes by
#           their links finds circles.
# Versions: circuit-tracer 0.5.0.
# Who:      whoever wants the whole graph of a prompt, since what a pruned one has sums to nothing.
# Around:   edge_threshold=0.999999, or leave the links of weight 0 out.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check circuit-tracer==0.5.0
venv/bin/python - <<'PY'
import dataclasses
import sys
from importlib.metadata import version

import torch
from circuit_tracer.attribution.targets import LogitTarget
from circuit_tracer.graph import Graph, prune_graph
from circuit_tracer.utils.create_graph_files import create_nodes, create_used_nodes_and_edges
from circuit_tracer.utils.tl_nnsight_mapping import UnifiedConfig

# a feature at layer 0, one at layer 1, errors of both, a token, a logit: one position
matrix = torch.zeros(6, 6)  # target x source
for target, source in [(0, 4), (1, 0), (1, 2), (1, 4), (5, 0), (5, 1), (5, 3), (5, 4)]:
    matrix[target, source] = 1.0 + target
needed = [f.name for f in dataclasses.fields(UnifiedConfig) if f.default is dataclasses.MISSING
          and f.default_factory is dataclasses.MISSING]
config = UnifiedConfig(**{**dict.fromkeys(needed, 1), "n_layers": 2})
graph = Graph(
    "a", torch.tensor([7]), torch.tensor([[0, 0, 5], [1, 0, 3]]), matrix, config,
    torch.arange(2), torch.ones(2), [LogitTarget("b", 9)], torch.ones(1), "org/set", 100,
)


def links(edge_threshold):
    nodes, edges, scores = prune_graph(graph, 1.0, edge_threshold)
    made = create_nodes(graph, nodes, None, scores)
    return create_used_nodes_and_edges(graph, made, edges)[1]


print("circuit-tracer", version("circuit-tracer"))
for threshold in (0.98, 0.999999, 1.0):
    found = links(threshold)
    nothing = [link for link in found if link["weight"] == 0]
    own = [link for link in nothing if link["source"] == link["target"]]
    print(f"  edge_threshold {threshold}: {len(found)} links, {len(nothing)} of weight 0,",
          f"{len(own)} from a node to itself")
if not own or len(found) != 36:
    sys.exit("The behaviour has changed.")
PY
