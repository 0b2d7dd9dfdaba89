"""How far the numbers of a run are from the oracle's (docs/method.md §2 to §4)."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.lib_graph.oracle import Basis, Case, Oracle


def bases_of(run: Path, oracle: Oracle) -> dict[str, Basis]:
    """Return the bases of a run's layers; of a raw one the identity."""
    tensors, features = (
        load_file(run / "bases.safetensors"),
        pd.read_parquet(run / "features.parquet"),
    )
    found = {}
    for layer in oracle.layers:
        rows = features[(features.layer == layer) & (features.role != "constant")]
        if f"{layer}.rotation" in tensors:
            parts = (tensors[f"{layer}.{name}"] for name in ("rotation", "inverse", "mean"))
            found[layer] = Basis(*parts, torch.tensor(rows.importance.to_numpy(dtype=np.float64)))
        else:
            eye = torch.eye(len(rows), dtype=torch.float64)
            found[layer] = Basis(eye, eye, torch.zeros(len(rows), dtype=torch.float64), None)
    return found


def differences(case: Case, run: Path, *, tau: float = 1e-12) -> dict[str, float]:
    """Return how far each number of a run in basis `lib` is from what it must be.

    Each is the largest deviation over the largest entry of its table (of signed means, over the
    root of the largest strength, since they can all cancel). Of a basis that is: the mean;
    C Cᵀ = P M' P, with P the projector to what the data span, which fixes C but for a rotation; and
    C⁺ C = 1, E[f̂ᵀf̂] = diag(Λ), which fix that.
    """
    oracle = Oracle(case)
    bases, far = bases_of(run, oracle), {}
    edges = pd.read_parquet(run / "interactions.parquet")
    names = [*oracle.layers]
    for source, target in pairwise(names):
        basis = bases[source]
        rows = oracle.activations(source)[oracle.counted(source)]
        mean = rows.mean(0)
        G = (rows - mean).T @ (rows - mean) / len(rows)
        values, vectors = torch.linalg.eigh(G)
        P = vectors[:, values > tau * values[-1]] @ vectors[:, values > tau * values[-1]].T
        M = oracle.moment(source, target, bases[target].rotation)
        assert basis.importance is not None
        far[f"{source} mean"] = _far(basis.mean, mean, rows.abs().max())
        far[f"{source} C Ct"] = _far(basis.rotation @ basis.rotation.T, P @ M @ P)
        far[f"{source} inverse"] = _far(
            basis.inverse @ basis.rotation, torch.eye(len(basis.inverse)).double()
        )
        covariance = basis.rotation.T @ G @ basis.rotation
        far[f"{source} importance"] = _far(covariance, basis.importance.diag())
        truth = oracle.strengths(source, target, bases)
        here = edges[edges.source_layer == source]
        for column in ("strength", "stderr", "effect"):
            expected = getattr(truth, column)
            found = _table(here, column, bases[source], bases[target])
            for rows, what in ((slice(0, 1), "constant "), (slice(1, None), "")):
                size = truth.strength[slice(0 if what else 1, None)].max()
                size = size.sqrt() if column == "effect" else size
                far[f"{source} {what}{column}"] = _far(found[rows], expected[rows], size)
    return far


def _table(edges: pd.DataFrame, column: str, basis: Basis, following: Basis) -> Tensor:
    """Return a column of interactions as a table; those that are not in the file are 0."""
    table = torch.zeros(len(basis.inverse) + 1, len(following.inverse), dtype=torch.float64)
    targets = edges.target - (0 if following.importance is None else 1)
    places = torch.tensor(edges.source.to_numpy()), torch.tensor(targets.to_numpy())
    values = torch.tensor(edges[column].to_numpy(dtype=np.float64))
    return table.index_put(tuple(place.long() for place in places), values)


def _far(found: Tensor, truth: Tensor, size: Tensor | None = None) -> float:
    if found.shape != truth.shape:
        return float("inf")
    largest = truth.abs().max() if size is None else size
    return float((found - truth).abs().max() / largest.clamp_min(1e-300))
