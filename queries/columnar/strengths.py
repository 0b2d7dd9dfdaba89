"""Twins of the named queries about single interactions, and about layers and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ingest.store.columns import Columns, SomeInteractions
from queries.columnar.rows import (
    Floats,
    Ints,
    first_interactions,
    important,
    in_layer,
    interaction_frame,
    sections,
)

__all__ = ["cancelling", "exciting", "inhibiting", "label_flow", "layer_totals", "uncertain"]

LABELS = "source_label target_label"
UNKNOWN = float(np.finfo(np.float64).max)


def exciting(columns: Columns, *, layer: str | None, min_share: float, k: int) -> pd.DataFrame:
    """Twin of library/exciting.cypher."""
    return _by_effect(columns, layer, min_share, k, sign=1.0)


def inhibiting(columns: Columns, *, layer: str | None, min_share: float, k: int) -> pd.DataFrame:
    """Twin of library/inhibiting.cypher."""
    return _by_effect(columns, layer, min_share, k, sign=-1.0)


def _by_effect(
    columns: Columns, layer: str | None, min_share: float, k: int, *, sign: float
) -> pd.DataFrame:
    starts = in_layer(columns, layer)

    def by(section: SomeInteractions) -> Floats:
        effect = sign * section["effect"]
        kept = starts[section.source] & (section["share"] >= min_share) & (effect > 0)
        return np.where(kept, -effect, np.inf)

    found = first_interactions(columns, ("effect", "strength", "share"), by, k)
    return interaction_frame(columns, found, f"source target effect strength share {LABELS}")


def uncertain(
    columns: Columns, *, layer: str | None, min_share: float, min_importance: float, k: int
) -> pd.DataFrame:
    """Twin of library/uncertain.cypher."""
    ends = in_layer(columns, layer) & important(columns, min_importance)

    def by(section: SomeInteractions) -> Floats:
        kept = ends[section.target] & (section["share"] >= min_share)
        kept &= ~np.isnan(section["stderr"])
        return np.where(kept, -section["stderr"] / section["strength"], np.inf)

    found = first_interactions(columns, ("strength", "stderr", "share"), by, k)
    found = found.with_values(relative=found["stderr"] / found["strength"])
    return interaction_frame(
        columns, found, f"source target relative strength stderr share {LABELS}"
    )


def cancelling(
    columns: Columns, *, layer: str | None, min_share: float, min_importance: float, k: int
) -> pd.DataFrame:
    """Twin of library/cancelling.cypher; what has no effect comes last."""
    ends = in_layer(columns, layer) & important(columns, min_importance)

    def by(section: SomeInteractions) -> Floats:
        kept = ends[section.target] & (section["share"] >= min_share)
        part = section["effect"] * section["effect"] / section["strength"]
        return np.where(kept, np.where(np.isnan(part), UNKNOWN, part), np.inf)

    found = first_interactions(columns, ("effect", "strength", "share"), by, k)
    found = found.with_values(kept=found["effect"] * found["effect"] / found["strength"])
    return interaction_frame(columns, found, f"source target kept effect strength share {LABELS}")


def layer_totals(columns: Columns) -> pd.DataFrame:
    """Twin of library/layer_totals.cypher."""
    here = columns.layer[~columns.constant]
    size = int(columns.layer.max()) + 1
    count, strength, strongest = np.zeros(size, np.int64), np.zeros(size), np.zeros(size)
    for number, section in zip(columns.layers, sections(columns, "strength"), strict=False):
        layer = int(number["index"])
        count[layer] = len(section)
        strength[layer] = section["strength"].sum()
        strongest[layer] = section["strength"].max(initial=0.0)
    importance = np.nan_to_num(columns.features["importance"].to_numpy(dtype=np.float64))
    features = np.bincount(here, minlength=size)
    frame = pd.DataFrame(
        {
            "layer_index": np.arange(size),
            "layer": [layer["name"] for layer in columns.layers],
            "width": [layer["width"] for layer in columns.layers],
            "features": features,
            "importance": np.bincount(here, importance[~columns.constant], minlength=size),
            "interactions": count,
            "strength": strength,
            "strongest": strongest,
        }
    )
    return frame[features > 0].reset_index(drop=True)


def label_flow(columns: Columns, *, layer: str | None, k: int) -> pd.DataFrame:
    """Twin of library/label_flow.cypher."""
    code, names = pd.factorize(columns.features["label"], sort=True)
    starts = in_layer(columns, layer)
    parts = [_flows(columns.section(-1, "strength"), code, names, 0, 0)]
    for number, section in zip(columns.layers, sections(columns, "strength"), strict=False):
        section = section.take(starts[section.source])
        ends = columns.layer[section.target]
        for end in np.unique(ends):
            part = section.take(ends == end)
            parts.append(_flows(part, code, names, int(number["index"]), int(end)))
    layers = pd.Series([each["name"] for each in columns.layers])
    flows = pd.concat(parts, ignore_index=True).sort_values(
        ["part", "layer_index", "end_index", "source_label", "target_label"],
        ascending=[False, True, True, True, True], ignore_index=True,
    )[:k]  # fmt: skip
    flows = flows.assign(
        source_layer=layers[flows["layer_index"]].to_numpy(),
        target_layer=layers[flows["end_index"]].to_numpy(),
    )
    columns_in_order = "source_layer target_layer source_label target_label part strength"
    return flows[[*columns_in_order.split(), "interactions"]]


def _flows(
    section: SomeInteractions, code: Ints, names: pd.Index[Any], layer: int, end: int
) -> pd.DataFrame:
    """Return what flows from each label to each, from one layer to another."""
    pair = code[section.source] * len(names) + code[section.target]
    found, at, interactions = np.unique(pair, return_inverse=True, return_counts=True)
    strength = np.bincount(at, section["strength"], minlength=len(found))
    return pd.DataFrame(
        {
            "layer_index": np.full(len(found), layer),
            "end_index": np.full(len(found), end),
            "source_label": names[found // len(names)],
            "target_label": names[found % len(names)],
            "part": strength / strength.sum(),
            "strength": strength,
            "interactions": interactions,
        }
    )
