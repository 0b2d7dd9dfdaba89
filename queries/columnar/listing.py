"""Twins of the texts that list: layers, features, interactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ingest.store.columns import Columns, SomeInteractions
from lib_graph.run.prompt import NODE_COLUMNS
from queries.columnar.rows import (
    Bools,
    Floats,
    first_interactions,
    interaction_frame,
    joined,
    rows_with_ids,
    sections,
)

__all__ = [
    "costs_to_target",
    "features",
    "features_by_id",
    "interactions",
    "interactions_among",
    "interactions_between",
    "interactions_into",
    "layer_features",
    "layers",
    "prompt_nodes",
    "run_ablations",
    "run_manifest",
    "section_interactions",
    "section_strengths",
    "section_totals",
    "shares_into",
    "smallest_kept",
]

FEATURES = ["id", "layer", "layer_index", "index", "role", "importance", "variance", "label"]
NODES = ["id", "role", "label", *NODE_COLUMNS.names]
ROWS = "source target strength stderr effect share source_label target_label"
NUMBERS = ("strength", "stderr", "effect", "share")


def layers(columns: Columns) -> pd.DataFrame:
    """Twin of layers.cypher."""
    return pd.DataFrame(list(columns.layers), columns=["index", "name", "width", "features"])


def run_manifest(columns: Columns) -> pd.DataFrame | None:
    """Twin of run_manifest.cypher; None where it is not kept."""
    said = columns.said
    return None if said is None else pd.DataFrame({"manifest": [said["manifest"]]})


def run_ablations(columns: Columns) -> pd.DataFrame | None:
    """Twin of run_ablations.cypher; None where they are not kept."""
    said = columns.said
    return None if said is None else pd.DataFrame({"ablations": [said["ablations"]]})


def smallest_kept(columns: Columns) -> pd.DataFrame | None:
    """Twin of smallest_kept.cypher; None where it is not kept."""
    said = columns.said
    if said is None:
        return None
    return pd.DataFrame(said["smallest_kept"], columns=["layer", "smallest_kept"])


def layer_features(columns: Columns, *, layer: int) -> pd.DataFrame:
    """Twin of layer_features.cypher."""
    rows: pd.DataFrame = columns.features[columns.layer == layer]
    return rows[["index", "role", "importance"]]


def features(columns: Columns, *, layer: int | None) -> pd.DataFrame:
    """Twin of features.cypher."""
    rows = columns.features if layer is None else columns.features[columns.layer == layer]
    return rows[FEATURES].reset_index(drop=True)


def prompt_nodes(columns: Columns) -> pd.DataFrame:
    """Twin of prompt_nodes.cypher; a number that is missing leaves the others whole."""
    if not columns.skips:
        return pd.DataFrame(columns=NODES)
    order = np.argsort(columns.features["index"].to_numpy(), kind="stable")
    frame: pd.DataFrame = columns.of_rows(order, *NODES).to_pandas(integer_object_nulls=True)
    return frame


def features_by_id(columns: Columns, *, ids: Sequence[str]) -> pd.DataFrame:
    """Twin of features_by_id.cypher: a row for each time an id is wanted."""
    wanted = np.sort(rows_with_ids(columns, ids))
    return columns.features.iloc[wanted][FEATURES].reset_index(drop=True)


def interactions(
    columns: Columns,
    *,
    source_layer: int | None,
    source: int | None,
    target_layer: int | None,
    target: int | None,
    constants: bool,
    min_strength: float,
    limit: int,
) -> pd.DataFrame:
    """Twin of interactions.cypher."""
    starts, ends = _places(columns, source_layer, source), _places(columns, target_layer, target)

    def by(section: SomeInteractions) -> Floats:
        kept = starts[section.source] & ends[section.target]
        return np.where(kept & (section["strength"] >= min_strength), -section["strength"], np.inf)

    layers = _source_layers(columns, source_layer, target_layer)
    found = first_interactions(columns, NUMBERS, by, limit, constants=constants, layers=layers)
    return interaction_frame(columns, found, ROWS)


def _source_layers(columns: Columns, source: int | None, target: int | None) -> set[int] | None:
    """Return the layers that interactions between two layers come out of, None where all may be."""
    before = None if target is None or columns.skips else target - 1
    layers = {layer for layer in (source, before) if layer is not None}
    return set() if len(layers) > 1 else layers or None


def section_interactions(columns: Columns, *, layer: int, min_strength: float) -> pd.DataFrame:
    """Twin of section_interactions.cypher."""
    section = columns.section(layer, *NUMBERS)
    section = section.take(section["strength"] >= min_strength)
    index = columns.features["index"].to_numpy()
    return interaction_frame(columns, section, ROWS).assign(
        source_index=index[section.source], target_index=index[section.target]
    )


def section_strengths(columns: Columns, *, layer: int) -> pd.DataFrame:
    """Twin of section_strengths.cypher; a list is an array."""
    section = columns.section(layer, "strength")
    rest = columns.features["role"].isin(["error", "output"]).to_numpy()
    left_out = columns.constant[section.source] | rest[section.source] | rest[section.target]
    section = section.take(~left_out)
    index = columns.features["index"].to_numpy()
    order = np.argsort(section.source, kind="stable")
    sources, starts = np.unique(section.source[order], return_index=True)
    return pd.DataFrame(
        {
            "source": index[sources],
            "targets": np.split(index[section.target[order]], starts[1:])[: len(sources)],
            "strengths": np.split(section["strength"][order], starts[1:])[: len(sources)],
        }
    )


def section_totals(columns: Columns) -> pd.DataFrame:
    """Twin of section_totals.cypher."""
    rows = [
        (int(layer["index"]), len(section), float(section["strength"].sum()))
        for layer, section in zip(columns.layers, sections(columns, "strength"), strict=False)
        if len(section)
    ]
    return pd.DataFrame(rows, columns=["layer", "interactions", "strength"])


def interactions_among(columns: Columns, *, ids: Sequence[str]) -> pd.DataFrame:
    """Twin of interactions_among.cypher: a row for each time that the source is among the ids."""
    rows = rows_with_ids(columns, ids)
    times = np.bincount(rows, minlength=len(columns.layer))
    parts = [columns.section(-1)]
    for layer in np.unique(columns.layer[rows]):
        section = columns.section(int(layer))
        inside = (times[section.source] > 0) & (times[section.target] > 0)
        parts.append(section.take(inside & ~columns.constant[section.source]))
    found = joined(parts)
    order = np.lexsort((columns.rank[found.target], columns.rank[found.source]))
    found = found.take(np.repeat(order, times[found.source[order]]))
    return interaction_frame(columns, found, "source target")


def interactions_between(columns: Columns, *, pairs: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Twin of interactions_between.cypher, in the order of the pairs."""
    place = {name: row for row, name in enumerate(columns.ids.to_pylist())}
    size = len(place)
    wanted = [(place[s], place[t]) for s, t in pairs if s in place and t in place]
    keys = np.array([s * size + t for s, t in wanted], dtype=np.int64)
    parts = [columns.section(-1, *NUMBERS)]
    for layer in np.unique(columns.layer[np.array([s for s, _ in wanted], dtype=np.int64)]):
        section = columns.section(int(layer), *NUMBERS)
        parts.append(section.take(np.isin(section.source * size + section.target, keys)))
    found = interaction_frame(columns, joined(parts), "source target strength stderr effect share")
    order = pd.DataFrame(list(pairs), columns=["source", "target"])
    return order.merge(found, on=["source", "target"], how="inner")


def interactions_into(
    columns: Columns, *, targets: Sequence[str], min_share: float
) -> pd.DataFrame:
    """Twin of interactions_into.cypher."""
    section = _into(columns, targets, *NUMBERS)
    section = section.take(section["share"] >= min_share)
    return interaction_frame(columns, section, "source target strength stderr effect share")


def shares_into(columns: Columns, *, targets: Sequence[str]) -> pd.DataFrame:
    """Twin of shares_into.cypher."""
    section = _into(columns, targets, "share")
    section = section.take(section["share"] > 0)
    index = columns.features["index"].to_numpy()
    target = index[section.target]
    order = np.argsort(target, kind="stable")
    ends, starts = np.unique(target[order], return_index=True)
    return pd.DataFrame(
        {
            "target": ends,
            "layers": _lists(columns.layer[section.source[order]], starts),
            "sources": _lists(index[section.source[order]], starts),
            "shares": _lists(section["share"][order], starts),
        }
    )


def costs_to_target(columns: Columns, *, next: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Twin of costs_to_target.cypher."""
    costs = {str(step["id"]): float(step["cost"]) for step in next}
    rows = rows_with_ids(columns, list(costs))
    known = np.full(len(columns.layer), np.nan)
    known[rows] = [costs[name] for name in columns.features["id"].to_numpy()[rows]]
    section = _into(columns, list(costs), "cost")
    cost = section["cost"] + known[section.target]
    least = np.full(len(columns.layer), np.inf)
    np.fmin.at(least, section.source, cost)
    reached = np.flatnonzero(np.isfinite(least))
    return pd.DataFrame({"id": columns.features["id"].to_numpy()[reached], "cost": least[reached]})


def _places(columns: Columns, layer: int | None, index: int | None) -> Bools:
    """Return which features are in a layer, and have an index, where these are not None."""
    kept = np.ones(len(columns.layer), dtype=bool)
    if layer is not None:
        kept &= columns.layer == layer
    if index is not None:
        kept &= columns.features["index"].to_numpy() == index
    return kept


def _into(columns: Columns, targets: Sequence[str], *names: str) -> SomeInteractions:
    """Return the interactions into some features."""
    rows = rows_with_ids(columns, targets)
    wanted = np.zeros(len(columns.layer), dtype=bool)
    wanted[rows] = True
    parts = [columns.section(-1, *names)]
    for layer in np.unique(columns.layer[rows]):
        section = columns.into(int(layer), *names)
        parts.append(section.take(wanted[section.target]))
    return joined(parts)


def _lists(values: Any, starts: Any) -> list[list[Any]]:
    return [part.tolist() for part in np.split(values, starts[1:])][: len(starts)]
