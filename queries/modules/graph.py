"""The graph that modules are found in: undirected and weighted, read from the store as arrays.

Its nodes are the features of all layers but a raw output, without the constants and the errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    "least_kept",
    "module_features",
    "read_module_graph",
    "source_layers",
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
    sources = source_layers(reader, features, layers)
    least = least_kept(reader, sources, weights)
    node: dict[Any, Ints] = {
        number: _by_index(features if reader.skips else rows)
        for number, rows in features.groupby("layer_index")
    }
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))]
    for layer in (each.index for each in sources):
        into = node[layer if reader.skips else layer + 1]
        for row in reader.rows(read_text("section_strengths"), layer=layer):
            strength = np.array(row["strengths"])
            weight = _weight(strength, least[layer] if least else None)
            kept = weight > 0
            targets = into[np.array(row["targets"], dtype=np.int64)[kept]]
            source = np.full(len(targets), node[layer][row["source"]])
            parts.append((source, targets, weight[kept], np.full(len(targets), layer)))
    source, target, weight, section = (np.concatenate(part) for part in zip(*parts, strict=True))
    return ModuleGraph(features, WeightedGraph(len(features), source, target, weight), section)


def module_features(reader: Reader) -> pd.DataFrame:
    """Return the features that are the graph's nodes, with COLUMNS."""
    features = reader.frame(read_text("features"), layer=None)
    kept = ~features["role"].isin(["constant", "error", "output"])
    return features.loc[kept, COLUMNS].reset_index(drop=True)


def source_layers(
    reader: Reader, features: pd.DataFrame, layers: Sequence[StoredLayer]
) -> list[StoredLayer]:
    """Return the layers that edges can lead out of: they have nodes of the graph, and so has the
    next one, unless interactions skip layers.
    """
    there = set(features["layer_index"])
    return [
        layer
        for layer in layers
        if layer.index in there and (reader.skips or layer.index + 1 in there)
    ]


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
    reader: Reader, sources: Sequence[StoredLayer], weights: Weights
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
    if missing := [layer.name for layer in sources if layer.index not in found]:
        raise UsageError(
            "The weights 'log' need the smallest edge that an ablation keeps, and this run has no "
            f"edge ablations of {', '.join(missing)}. Take 'sqrt', or 'lib-graph ablate RUN edges' "
            "and ingest the run again."
        )
    return found
