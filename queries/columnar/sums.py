"""Twins of the named queries about features and what flows into and out of each."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ingest.store.columns import Columns
from queries.columnar.rows import (
    DECIMALS,
    Floats,
    by_layer,
    important,
    in_layer,
    sections,
    sorted_features,
    summed,
)

__all__ = [
    "best_path_through",
    "bottlenecks",
    "concentrated_inputs",
    "constant_driven",
    "dead_ends",
    "hubs",
    "mixing_labels",
    "outliers",
    "specialists",
    "weak_inputs",
]


def _numbers(columns: Columns, name: str) -> Floats:
    return columns.features[name].to_numpy(dtype=np.float64)


def hubs(columns: Columns, *, by: str, min_share: float, layer: str | None, k: int) -> pd.DataFrame:
    """Twin of library/hubs.cypher."""
    names = ("strength_out", "strength_in", "degree_out", "degree_in")
    found = {name: np.zeros(len(columns.layer)) for name in names}
    for section in sections(columns, "strength", "share"):
        strong = section["share"] >= min_share
        for end, rows in (("out", section.source), ("in", section.target)):
            found[f"strength_{end}"] += summed(columns, rows, section["strength"])
            found[f"degree_{end}"] += summed(columns, rows[strong])
    kept = ~columns.constant & in_layer(columns, layer)
    key = found[by if by in names else "degree_in"]
    for name in names[2:]:
        found[name] = found[name].astype(np.int64)
    return sorted_features(columns, kept, -key, k, found)


def bottlenecks(columns: Columns, *, k: int) -> pd.DataFrame:
    """Twin of library/bottlenecks.cypher."""
    out, into = _totals(columns)
    total_out, total_in = by_layer(columns, out), by_layer(columns, into)
    kept = ~columns.constant & (total_out > 0) & (total_in > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        part_in, part_out = into / total_in, out / total_out
    through = np.where(part_in < part_out, part_in, part_out)
    values = {"through": through, "part_in": part_in, "part_out": part_out}
    return sorted_features(columns, kept, -through, k, values)


def outliers(columns: Columns, *, min_part: float, k: int) -> pd.DataFrame:
    """Twin of library/outliers.cypher."""
    importance = np.nan_to_num(_numbers(columns, "importance"))
    out, count = np.zeros(len(columns.layer)), np.zeros(len(columns.layer))
    for section in sections(columns, "strength"):
        out += summed(columns, section.source, section["strength"])
        count += summed(columns, section.source)
    member = (importance > 0) & (count > 0)
    importance, out = np.where(member, importance, 0.0), np.where(member, out, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        importance_part = importance / by_layer(columns, importance)
        strength_part = out / by_layer(columns, out)
        ratio = importance_part / strength_part
        distance = np.abs(np.log(ratio))
    kept = member & ((importance_part >= min_part) | (strength_part >= min_part))
    values = {
        "ratio": ratio, "importance_part": importance_part, "strength_part": strength_part,
    }  # fmt: skip
    return sorted_features(columns, kept, -distance, k, values)


def specialists(columns: Columns, *, layer: str | None, min_part: float, k: int) -> pd.DataFrame:
    """Twin of library/specialists.cypher."""
    strength, squares, targets = (np.zeros(len(columns.layer)) for _ in range(3))
    for section in sections(columns, "strength"):
        strength += summed(columns, section.source, section["strength"])
        squares += summed(columns, section.source, section["strength"] ** 2)
        targets += summed(columns, section.source)
    member = in_layer(columns, layer) & (targets > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        part = strength / by_layer(columns, np.where(member, strength, 0.0))
        effective = strength * strength / squares
    values = {
        "targets": targets.astype(np.int64), "effective": effective, "strength": strength,
        "part": part,
    }  # fmt: skip
    return sorted_features(columns, member & (part >= min_part), effective, k, values)


def dead_ends(columns: Columns, *, min_share: float, k: int) -> pd.DataFrame:
    """Twin of library/dead_ends.cypher."""
    size = len(columns.layer)
    largest_out, strength_in, inputs = np.zeros(size), np.zeros(size), np.zeros(size)
    for section in sections(columns, "strength", "share"):
        np.fmax.at(largest_out, section.source, section["share"])
        strength_in += summed(columns, section.target, section["strength"])
        inputs += summed(columns, section.target)
    last = max(int(layer["index"]) for layer in columns.layers)
    kept = ~columns.constant & (columns.layer < last) & (largest_out < min_share) & (inputs > 0)
    values = {
        "strength_in": strength_in, "largest_out": largest_out,
        "importance": _numbers(columns, "importance"),
    }  # fmt: skip
    return sorted_features(columns, kept, -strength_in, k, values)


def constant_driven(
    columns: Columns, *, layer: str | None, min_importance: float, k: int
) -> pd.DataFrame:
    """Twin of library/constant_driven.cypher."""
    constant, others = np.zeros(len(columns.layer)), np.zeros(len(columns.layer))
    for section in sections(columns, "strength", constants=True):
        from_constant = columns.constant[section.source]
        for total, rows in ((constant, from_constant), (others, ~from_constant)):
            total += summed(columns, section.target[rows], section["strength"][rows])
    kept = in_layer(columns, layer) & important(columns, min_importance) & (others > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = constant / others
    values = {"ratio": ratio, "from_constant": constant, "from_others": others}
    return sorted_features(columns, kept, -ratio, k, values)


def concentrated_inputs(
    columns: Columns, *, layer: str | None, min_importance: float, k: int
) -> pd.DataFrame:
    """Twin of library/concentrated_inputs.cypher."""
    inputs, largest, entropy = (np.zeros(len(columns.layer)) for _ in range(3))
    for section in sections(columns, "share", "cost"):
        section = section.take(~np.isnan(section["cost"]))
        inputs += summed(columns, section.target)
        np.fmax.at(largest, section.target, section["share"])
        entropy += summed(columns, section.target, section["share"] * section["cost"])
    kept = in_layer(columns, layer) & important(columns, min_importance) & (inputs > 0)
    effective: Floats = np.exp(entropy)
    values = {"inputs": inputs.astype(np.int64), "largest": largest, "effective": effective}
    return sorted_features(columns, kept, np.round(effective, DECIMALS), k, values)


def weak_inputs(
    columns: Columns, *, max_share: float, min_inputs: int, min_importance: float, k: int
) -> pd.DataFrame:
    """Twin of library/weak_inputs.cypher."""
    inputs, largest, squares = (np.zeros(len(columns.layer)) for _ in range(3))
    for section in sections(columns, "share"):
        section = section.take(~np.isnan(section["share"]))
        inputs += summed(columns, section.target)
        np.fmax.at(largest, section.target, section["share"])
        squares += summed(columns, section.target, section["share"] ** 2)
    kept = important(columns, min_importance) & (inputs >= max(min_inputs, 1))
    with np.errstate(divide="ignore"):
        effective = 1 / squares
    values = {"inputs": inputs.astype(np.int64), "largest": largest, "effective": effective}
    kept &= largest <= max_share
    return sorted_features(columns, kept, -np.round(effective, DECIMALS), k, values)


def mixing_labels(
    columns: Columns, *, layer: str | None, min_importance: float, k: int
) -> pd.DataFrame:
    """Twin of library/mixing_labels.cypher."""
    code, names = pd.factorize(columns.features["label"])
    named = (names != "")[code]
    own, other, count = (np.zeros(len(columns.layer)) for _ in range(3))
    for section in sections(columns, "share"):
        section = section.take(named[section.source] & ~np.isnan(section["share"]))
        same = code[section.source] == code[section.target]
        count += summed(columns, section.target)
        for total, rows in ((own, same), (other, ~same)):
            total += summed(columns, section.target[rows], section["share"][rows])
    kept = named & in_layer(columns, layer) & important(columns, min_importance) & (count > 0)
    values = {"other": other, "own": own, "importance": _numbers(columns, "importance")}
    return sorted_features(columns, kept, -np.round(other, DECIMALS), k, values)


def best_path_through(columns: Columns, *, layer: str | None, k: int) -> pd.DataFrame:
    """Twin of library/best_path_through.cypher."""
    cost = _numbers(columns, "cost_from_inputs") + _numbers(columns, "cost_to_outputs")
    kept = ~np.isnan(cost) & in_layer(columns, layer)
    values = {"strength": np.exp(-cost), "importance": _numbers(columns, "importance")}
    return sorted_features(columns, kept, cost, k, values)


def _totals(columns: Columns) -> tuple[Floats, Floats]:
    """Return the strength out of and into each feature, the constant left out."""
    out, into = np.zeros(len(columns.layer)), np.zeros(len(columns.layer))
    for section in sections(columns, "strength"):
        out += summed(columns, section.source, section["strength"])
        into += summed(columns, section.target, section["strength"])
    return out, into
