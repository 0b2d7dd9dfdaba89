"""Ablations: does the network still work with a part of its graph alone? (docs/method.md §13)."""

from __future__ import annotations

from lib_graph.analysis.ablation.answering import answers_of
from lib_graph.analysis.ablation.bench import Bench
from lib_graph.analysis.ablation.circuits import CircuitScore, ablate_circuit, smallest_circuit
from lib_graph.analysis.ablation.curves import EdgeAblation, ablate_edges, ablate_nodes
from lib_graph.analysis.ablation.results import check_ablation, write_ablation, write_masks
from lib_graph.analysis.ablation.together import edges_together, nodes_together
from lib_graph.run.ablations import read_ablation, smallest_kept

__all__ = [
    "Bench",
    "CircuitScore",
    "EdgeAblation",
    "ablate_circuit",
    "ablate_edges",
    "ablate_nodes",
    "answers_of",
    "check_ablation",
    "edges_together",
    "nodes_together",
    "read_ablation",
    "smallest_circuit",
    "smallest_kept",
    "write_ablation",
    "write_masks",
]
