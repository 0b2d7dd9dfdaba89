"""One feature of a run in a store, as `lib_graph.run.feature` has those of a run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from lib_graph.errors import NotFoundError
from lib_graph.run.feature import Feature
from lib_graph.run.schema import FeatureId
from queries.asking.places import ADVICE, Place

if TYPE_CHECKING:
    from queries.asking.tables import Table

__all__ = ["stored_feature"]


def stored_feature(
    run: str, place: Place, features: pd.DataFrame, inputs: Table, outputs: Table
) -> Feature:
    """Return the feature at a place; `features` are those of its layer.

    A store has no examples, no histograms, no scores of labels, and does not know spaces of equal
    importance.

    Raises NotFoundError if there is no such feature.
    """
    found = features[features["index"] == place.index]
    if found.empty:
        raise NotFoundError("feature", str(place), list(features["id"]), ADVICE)
    row = found.iloc[0]
    has_importance = bool(pd.notna(row["importance"]))
    larger = int((features["importance"] > row["importance"]).sum())
    return Feature(
        FeatureId(run, place.layer.name, int(row["index"])),
        str(row["role"]),
        _number(row["importance"]),
        float(row["importance"] / features["importance"].sum()) if has_importance else None,
        larger + 1 if has_importance else None,
        _number(row["variance"]),
        None,
        row["label"] or None,
        None,
        None,
        None,
        _rows(run, inputs.frame, "source_label"),
        _rows(run, outputs.frame, "target_label"),
    )


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _rows(run: str, frame: pd.DataFrame, label: str) -> pd.DataFrame:
    """Return interactions with their ends as a run folder names them, and the label of one."""
    ends = {name: [FeatureId.parse(id) for id in frame[name]] for name in ("source", "target")}
    return pd.DataFrame(
        {
            "run": run,
            "source_layer": [end.layer for end in ends["source"]],
            "source": [end.index for end in ends["source"]],
            "target_layer": [end.layer for end in ends["target"]],
            "target": [end.index for end in ends["target"]],
            **{name: frame[name] for name in ("strength", "stderr", "effect", "share")},
            "label": [text or None for text in frame[label]],
        }
    )
