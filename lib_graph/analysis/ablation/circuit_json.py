"""Which interactions of a run a circuit keeps, and the circuit of some interactions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import torch
from jaxtyping import Int
from torch import Tensor

from lib_graph.analysis.ablation.masks import Edges
from lib_graph.errors import ConflictError, UsageError
from lib_graph.run import FeatureId, Run
from lib_graph.run.circuit import CircuitFile

__all__ = ["Ranks", "circuit_of", "ranks_of"]

SAME = 1e-6  # the relative difference of strengths up to which a graph is the same
Ranks = Mapping[str, Int[Tensor, " n"]]
"""source layer → the ranks of the interactions of a circuit among those of its section"""


def ranks_of(run: Run, edges: Mapping[str, Edges], circuit: CircuitFile) -> Ranks:
    """Return the interactions of a circuit in a run.

    Raises UsageError if the circuit is of another run or empty, ConflictError if the run does not
    have its interactions, or has them with other strengths.
    """
    if circuit.run != run.id:
        raise UsageError(f"The circuit is of run {circuit.run!r}, not of {run.id!r}. Name its run.")
    found: dict[str, list[int]] = {layer: [] for layer in edges}
    for each in circuit.interactions:
        source, target = FeatureId.parse(each.source), FeatureId.parse(each.target)
        own = edges.get(source.layer)
        if own is not None and source.index < own.source.first_index:
            continue
        key = (source.index, target.index)
        adjacent = own is not None and (target.layer, source.run, target.run) == (
            own.target.name, run.id, run.id,
        )  # fmt: skip
        rank = own.rank.get(key) if own is not None and adjacent else None
        if own is None or rank is None:
            raise ConflictError(
                f"The interaction from {each.source!r} to {each.target!r} is not in run {run.id}. "
                "Find the circuit again."
            )
        strength = float(own.table["strength"].iloc[rank])
        if abs(strength - each.strength) > SAME * strength:
            raise ConflictError(
                f"The graph has changed since the circuit was found: from {each.source!r} to "
                f"{each.target!r} it has strength {each.strength:.6g}, in the run {strength:.6g}. "
                "Find the circuit again."
            )
        found[source.layer].append(rank)
    if not any(found.values()):
        raise UsageError(
            "The circuit is empty: it keeps no interaction, so there is nothing to test."
        )
    return {layer: torch.tensor(sorted(set(ranks))).long() for layer, ranks in found.items()}


def circuit_of(
    run: Run, edges: Mapping[str, Edges], chosen: Ranks, query: Mapping[str, Any]
) -> CircuitFile:
    """Return the circuit of the interactions of these ranks."""
    features = run.features.assign(label=run.features["label"].fillna(""))
    features["id"] = _ids(run, features["layer"], features["index"])
    labels = dict(zip(features["id"], features["label"], strict=True))
    tables = []
    for name, own in edges.items():
        table = own.table.iloc[chosen[name].tolist()]
        for end in ("source", "target"):
            ids = _ids(run, table[f"{end}_layer"], table[end])
            table = table.assign(**{end: ids, f"{end}_label": [labels[each] for each in ids]})
        tables.append(table)
    interactions = pd.concat(tables)
    ends = {*interactions["source"], *interactions["target"]}
    return CircuitFile.of(run.id, query, features[features["id"].isin(ends)], interactions)


def _ids(run: Run, layers: pd.Series[str], indices: pd.Series[int]) -> list[str]:
    return [str(FeatureId(run.id, *each)) for each in zip(layers, indices, strict=True)]
