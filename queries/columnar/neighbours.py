"""Twins of the texts about one feature, or two: what drives it, and what it drives."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ingest.store.columns import Columns, SomeInteractions
from queries.columnar.rows import (
    Bools,
    important,
    interaction_frame,
    joined,
    rows_with_ids,
)

__all__ = ["inputs_of", "outputs_of", "paths_through", "shared_inputs"]

NUMBERS = ("strength", "stderr", "effect", "share")
THROUGH = ("share", "cost")


def inputs_of(columns: Columns, *, feature: str, k: int) -> pd.DataFrame:
    """Twin of library/inputs_of.cypher."""
    found = _into(columns, feature, *NUMBERS)
    found = found.take(np.lexsort((columns.rank[found.source], -found["share"])))
    found = found.with_values(running=np.cumsum(found["share"])).take(np.arange(len(found)) < k)
    frame = interaction_frame(columns, found, f"source source_label {' '.join(NUMBERS)} running")
    return frame.rename(columns={"source_label": "label"})


def outputs_of(columns: Columns, *, feature: str, min_importance: float, k: int) -> pd.DataFrame:
    """Twin of library/outputs_of.cypher."""
    found = _out_of(columns, feature, *NUMBERS)
    found = found.take(important(columns, min_importance)[found.target])
    found = found.take(np.lexsort((columns.rank[found.target], -found["share"]))[:k])
    frame = interaction_frame(columns, found, f"target target_label {' '.join(NUMBERS)}")
    return frame.rename(columns={"target_label": "label"})


def shared_inputs(columns: Columns, *, first: str, second: str, k: int) -> pd.DataFrame:
    """Twin of library/shared_inputs.cypher."""
    one, other = (_into(columns, name, "share", "effect") for name in (first, second))
    _, here, there = np.intersect1d(one.source, other.source, return_indices=True)
    one, other = one.take(here), other.take(there)
    found = SomeInteractions(
        one.source,
        one.target,
        {
            "both": np.minimum(one["share"], other["share"]),
            "first_share": one["share"],
            "second_share": other["share"],
            "first_effect": one["effect"],
            "second_effect": other["effect"],
        },
    )
    found = found.take(np.lexsort((columns.rank[found.source], -found["both"]))[:k])
    frame = interaction_frame(columns, found, f"source source_label {' '.join(found.values)}")
    return frame.rename(columns={"source_label": "label"})


def paths_through(columns: Columns, *, feature: str, min_importance: float, k: int) -> pd.DataFrame:
    """Twin of library/paths_through.cypher."""
    into, out = _into(columns, feature, *THROUGH), _out_of(columns, feature, *THROUGH)
    out = out.take(_as_important(columns, feature, min_importance)[out.target])
    i, o = np.indices((len(into), len(out))).reshape(2, -1)
    through = into["share"][i] * out["share"][o]
    order = np.lexsort((columns.rank[out.target[o]], columns.rank[into.source[i]], -through))[:k]
    i, o = i[order], o[order]
    potential = columns.features[["cost_from_inputs", "cost_to_outputs"]].to_numpy(np.float64)
    cost = potential[into.source[i], 0] + into["cost"][i] + out["cost"][o]
    ends = SomeInteractions(
        into.source[i],
        out.target[o],
        {"through": through[order], "best": np.exp(-(cost + potential[out.target[o], 1]))},
    )
    frame = interaction_frame(columns, ends, "source target through best source_label target_label")
    frame.insert(1, "feature", feature)
    frame.insert(6, "label", columns.features["label"].to_numpy()[into.target[i]])
    return frame


def _into(columns: Columns, feature: str, *names: str) -> SomeInteractions:
    """Return the interactions into a feature, those out of a constant one left out."""
    parts = [columns.section(-1, *names)]
    for row in rows_with_ids(columns, [feature]):
        found = columns.into(int(columns.layer[row]), *names)
        parts.append(found.take((found.target == row) & ~columns.constant[found.source]))
    return joined(parts)


def _out_of(columns: Columns, feature: str, *names: str) -> SomeInteractions:
    """Return the interactions out of a feature, none for a constant one."""
    parts = [columns.section(-1, *names)]
    for row in rows_with_ids(columns, [feature]):
        found = columns.section(int(columns.layer[row]), *names)
        parts.append(found.take((found.source == row) & ~columns.constant[found.source]))
    return joined(parts)


def _as_important(columns: Columns, feature: str, least: float) -> Bools:
    """Return which features have `least` of the largest importance in the layer after a feature's.

    All where that layer has none that is known.
    """
    importance = columns.features["importance"].to_numpy(dtype=np.float64)
    after = np.isin(columns.layer, columns.layer[rows_with_ids(columns, [feature])] + 1)
    known = importance[after & ~np.isnan(importance)]
    if not len(known):
        return np.ones(len(importance), dtype=bool)
    found: Bools = importance >= least * known.max()
    return found
