"""Circuits as JSON has them, and which interactions of a run they keep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from jaxtyping import Int
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from lib_graph.analysis.ablation.masks import Edges
from lib_graph.errors import ConflictError, UsageError
from lib_graph.run import FeatureId, Run
from lib_graph.support.tables import records_of

__all__ = ["Ranks", "circuit_json", "ranks_of", "read_circuit"]

SAME = 1e-6  # the relative difference of strengths up to which a graph is the same
FEATURE_COLUMNS = [
    "id", "layer", "layer_index", "index", "role", "importance", "variance", "label",
]  # fmt: skip
INTERACTION_COLUMNS = [
    "source", "target", "strength", "stderr", "effect", "share", "source_label", "target_label",
]  # fmt: skip

Ranks = Mapping[str, Int[Tensor, " n"]]
"""source layer → the ranks of the interactions of a circuit among those of its section"""


class _Interaction(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    source: str
    target: str
    strength: float


class _Circuit(BaseModel):
    """What a circuit's file must hold; it may hold more."""

    model_config = ConfigDict(extra="allow", frozen=True)

    run: str
    interactions: tuple[_Interaction, ...]


def read_circuit(path: Path) -> dict[str, Any]:
    """Return the circuit in a JSON file. Raises UsageError if it cannot be read as one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{str(path)!r} cannot be read as JSON ({error}).") from error
    _checked(value)
    assert isinstance(value, dict)
    return value


def _checked(circuit: Any) -> _Circuit:
    try:
        return _Circuit.model_validate(circuit)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"This is no circuit: {'.'.join(map(str, first['loc']))}: {first['msg']}. "
            "'lib-graph export circuit --format json' writes one."
        ) from error


def ranks_of(run: Run, edges: Mapping[str, Edges], circuit: Mapping[str, Any]) -> Ranks:
    """Return the interactions of a circuit in a run."""
    read = _checked(circuit)
    if read.run != run.id:
        raise UsageError(f"The circuit is of run {read.run!r}, not of {run.id!r}. Name its run.")
    found: dict[str, list[int]] = {layer: [] for layer in edges}
    for each in read.interactions:
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


def circuit_json(
    run: Run, edges: Mapping[str, Edges], chosen: Ranks, query: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a circuit as `lib-graph export circuit --format json` writes it."""
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
    return {
        "run": run.id,
        "query": dict(query),
        "features": records_of(features[features["id"].isin(ends)][FEATURE_COLUMNS]),
        "interactions": records_of(interactions[INTERACTION_COLUMNS]),
    }


def _ids(run: Run, layers: pd.Series[str], indices: pd.Series[int]) -> list[str]:
    return [str(FeatureId(run.id, *each)) for each in zip(layers, indices, strict=True)]
