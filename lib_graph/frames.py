"""Features and interactions as tables, in the columns of a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from lib_graph.basis import LayerBasis
from lib_graph.dictionary import Basis
from lib_graph.labels import Label
from lib_graph.moments import InteractionMoments
from lib_graph.network import Layer
from lib_graph.run import shares

__all__ = ["feature_frame", "json_rows", "section_frame"]


def feature_frame(
    run: str,
    layers: Sequence[Layer],
    bases: Mapping[str, Basis],
    variances: Mapping[str, Tensor],
    labels: Mapping[str, Sequence[Label | None]],
) -> pd.DataFrame:
    """Return the features of all layers, the constant ones included, by layer and index.

    `labels` holds, for layers that have any, a label per feature without the constant.
    """
    frames = []
    for layer in layers:
        basis = bases[layer.name]
        constant = [] if basis.raw else [None]
        none = [None] * basis.features
        importance = none if basis.importance is None else basis.importance.tolist()
        texts = [*constant, *labels.get(layer.name, none)]
        rows = pd.DataFrame(
            {
                "index": range(len(texts)),
                "role": ["output" if basis.raw else "feature"] * len(texts),
                "importance": [*constant, *importance],
                "variance": [*constant, *variances[layer.name].tolist()],
                "label": [label and label.text for label in texts],
                "label_score": [label and label.score for label in texts],
            },
            dtype=object,
        )
        if constant:
            rows.loc[0, "role"] = "constant"
        if layer.variance and isinstance(basis, LayerBasis) and not basis.rotation[1:, 0].any():
            rows.loc[1, "role"] = "variance"
        frames.append(rows.assign(run=run, layer=layer.name, layer_index=layer.index))
    return pd.concat(frames, ignore_index=True)


def section_frame(
    run: str, source: Layer, target: Layer, moments: InteractionMoments, *, first_target: int
) -> pd.DataFrame:
    """Return the interactions of one section, all pairs of features, by source and target.

    Row 0 of `moments` is the source layer's constant feature; column 0 is the target layer's
    feature `first_target`.
    """
    sources, targets = np.indices(tuple(moments.strength.shape), dtype=np.int32).reshape(2, -1)
    targets += first_target
    strength = _column(moments.strength)
    return pd.DataFrame(
        {
            "run": run,
            "source_layer": source.name,
            "source": sources,
            "target_layer": target.name,
            "target": targets,
            "strength": strength,
            "stderr": _column(moments.stderr),
            "effect": _column(moments.effect),
            "share": shares(strength, targets, sources == 0),
        }
    )


def _column(values: Tensor) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    array: np.ndarray[tuple[int], np.dtype[np.float64]] = values.double().cpu().numpy().ravel()
    return array


def json_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows as JSON has them: what is missing is null.

    >>> json_rows(pd.DataFrame({"layer": ["a", "b"], "score": [0.5, np.nan]}))
    [{'layer': 'a', 'score': 0.5}, {'layer': 'b', 'score': None}]
    """
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]
