"""Ablations of a random run, written without a network: what tests of stores and pictures load."""

from __future__ import annotations

import pandas as pd

from lib_graph.run import Run
from lib_graph.run.ablations import ABLATION, TABLE
from lib_graph.run.kept import graph_of
from lib_graph.run.writing import write_rows
from lib_graph.support.defaults import DELTA

OTHER = "ffffffffffff"  # the run of another basis
BASELINE = 0.9


def ablate(run: Run, *, metric: str = "accuracy") -> pd.DataFrame:
    """Write and return ablations of `run`, and of another basis beside it, the last layer first."""
    rows = []
    for layer in reversed(run.layers[:-1]):
        for number, (of, basis) in enumerate(((OTHER, "pca"), (run.id, "lib"))):
            common = {"run": of, "basis": basis, "layer": layer.name, "baseline": BASELINE}
            for nodes in (1, 2, layer.features + 1):
                score = {"score": 0.1 * number + 0.01 * nodes, "random_score": 0.05}
                rows.append({**common, "kind": "node_curve", "nodes": nodes, **score})
            for edges in (0, 3, 12 + layer.index):
                score = {"score": 0.2 * number + 0.02 * edges, "random_score": 0.04}
                rows.append({**common, "kind": "edge_curve", "edges": edges, **score})
            required = {"edges": 3 + number, "score": 0.26, "random_score": 0.04, "delta": DELTA}
            rows.append({**common, "kind": "edges_required", **required})
    circuit = {"kind": "circuit", "run": run.id, "basis": "lib", "edges": 7, "nodes": 5}
    rows.append({**circuit, "score": 0.5, "baseline": BASELINE, "random_score": 0.1})
    rows = [{**row, "metric": metric} for row in rows]
    types = {"edges": "Int64", "nodes": "Int64", "delta": "float64"}
    frame = pd.DataFrame(rows, columns=ABLATION.names).astype(types)
    write_rows(run.path / TABLE, ABLATION, [frame], {**graph_of(run), "metric": metric})
    return frame
