"""The graph that modules are found in: undirected and weighted, read from the store as arrays.

Its nodes are the features of all layers but a raw output, without the constants and the errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd

from lib_graph.errors import UsageError
from queries.asking.places import StoredLayer
from queries.asking.reader import Reader
from queries.asking.statements import read_text
from queries.modules.weighted import Floats, Ints, WeightedGraph

__all__ = [
    "ModuleGraph",
    "Weights",
    "joined_layers",
    "least_kept",
    "module_features",
    "read_module_graph",
]

Weights = Literal["sqrt", "log"]
COLUMNS = ["id", "layer", "layer_index", "index", "label", "importance"]


@dataclass(frozen=True, eq=False)
class ModuleGraph:
    """`features` (a row per node), the edges between them, and the source layer of each edge."""

    features: pd.DataFrame
    edges: WeightedGraph
    section: Ints


def read_module_graph(
    reader: Reader, layers: Sequence[StoredLayer], weights: Weights
) -> ModuleGraph:
    """Return the graph with √strength as weights, or with log10 of strength over the least kept.

    The least kept, ε, is the smallest strength of the section that an ablation of its edges keeps;
    weaker interactions are no edges. Raises UsageError where a section has none, or for other
    weights.
    """
    features = module_features(reader)
    joined = joined_layers(features, layers)
    least = least_kept(reader, joined, weights)
    node: dict[Any, Ints] = {}
    for layer, rows in features.groupby("layer_index"):
        node[layer] = _by_index(features if reader.skips else rows)
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))]
    for first, second in joined:
        for row in reader.rows(read_text("section_strengths"), layer=first.index):
            strength = np.array(row["strengths"])
            weight = _weight(strength, least[first.index] if least else None)
            kept = weight > 0
            targets = node[second.index][np.array(row["targets"], dtype=np.int64)[kept]]
            source = np.full(len(targets), node[first.index][row["source"]])
            parts.append((source, targets, weight[kept], np.full(len(targets), first.index)))
    source, target, weight, section = (np.concatenate(part) for part in zip(*parts, strict=True))
    return ModuleGraph(features, WeightedGraph(len(features), source, target, weight), section)


def module_features(reader: Reader) -> pd.DataFrame:
    """Return the features that are the graph's nodes, with COLUMNS."""
    features = reader.frame(read_text("features"), layer=None)
    kept = ~features["role"].isin(["constant", "error", "output"])
    return features.loc[kept, COLUMNS].reset_index(drop=True)


def joined_layers(
    features: pd.DataFrame, layers: Sequence[StoredLayer]
) -> list[tuple[StoredLayer, StoredLayer]]:
    """Return each two adjacent layers that have nodes of the graph."""
    there = set(features["layer_index"])
    return [pair for pair in pairwise(layers) if {pair[0].index, pair[1].index} <= there]


def _by_index(features: pd.DataFrame) -> Ints:
    """Return the row of each index; where interactions skip layers, it is that of one feature."""
    found = np.zeros(features["index"].max() + 1, dtype=np.int64)
    found[features["index"]] = features.index
    return found


def _weight(strength: Floats, least: float | None) -> Floats:
    """Return √E, or log10(E / ε) where that is positive."""
    if least is None:
        return np.sqrt(strength)
    weight: Floats = np.maximum(0.0, np.log10(strength / least))
    return weight


def least_kept(
    reader: Reader, joined: Sequence[tuple[StoredLayer, StoredLayer]], weights: Weights
) -> dict[int, float] | None:
    """Return ε of each section, by its source layer's number; None for weights that need none.

    Raises UsageError where a section has none, or for other weights.
    """
    if weights not in ("sqrt", "log"):
        raise UsageError(f"There are no weights {weights!r}. Take 'sqrt' or 'log'.")
    if weights == "sqrt":
        return None
    found = {
        int(row["layer"]): float(row["smallest_kept"])
        for row in reader.rows(read_text("smallest_kept"))
    }
    if missing := [first.name for first, _ in joined if first.index not in found]:
        raise UsageError(
            "The weights 'log' need the smallest edge that an ablation keeps, and this run has no "
            f"edge ablations of {', '.join(missing)}. Take 'sqrt', or 'lib-graph ablate RUN edges' "
            "and ingest the run again."
        )
    return found
