"""Features and interactions as tables, in the columns of a run folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int
from torch import Tensor

from lib_graph.data.labelling import Label
from lib_graph.method.basis import LayerBasis
from lib_graph.method.dictionary import Basis
from lib_graph.method.moments import InteractionMoments
from lib_graph.method.network import Layer

__all__ = ["feature_frame", "section_frames", "shares", "without_noise"]

NOISE = 1e-7  # of a root mean square: float32's rounding, far below any mean's standard error
ROWS = 1 << 18  # of a table, beside which there is its copy in the file's format


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
        if layer.transcoded is not None and not basis.raw:
            error = layer.transcoded.features + 1
            rows.loc[error, "role"] = "error"
            rows.loc[error + 1 : layer.transcoded.own, "role"] = "carried"
        if layer.variance and isinstance(basis, LayerBasis) and not basis.rotation[1:, 0].any():
            rows.loc[1, "role"] = "variance"
        frames.append(rows.assign(run=run, layer=layer.name, layer_index=layer.index))
    return pd.concat(frames, ignore_index=True)


def section_frames(
    run: str,
    source: Layer,
    target: Layer,
    moments: InteractionMoments,
    sources: Int[Tensor, " r"],
    targets: Int[Tensor, " next_r"],
) -> Iterator[pd.DataFrame]:
    """Yield the interactions of one section, all pairs of features, by source and target.

    `sources` and `targets` are the features' indices. Row 0 of `moments` is the source layer's
    constant feature, which `sources` begins with. A frame has no more than about `ROWS` rows.
    """
    columns = {name: _array(getattr(moments, name)) for name in ("strength", "stderr", "effect")}
    columns["effect"] = without_noise(columns["effect"], columns["strength"])
    into = np.tile(_array(targets), len(sources))
    constant = np.repeat(_array(sources) == 0, len(targets))
    share = shares(columns["strength"].ravel(), into, constant)
    columns["share"] = share.reshape(columns["strength"].shape)
    step = max(1, ROWS // len(targets))
    for here in (slice(i, i + step) for i in range(0, len(sources), step)):
        some, every = np.meshgrid(_array(sources[here]), _array(targets), indexing="ij")
        yield pd.DataFrame(
            {
                "run": run,
                "source_layer": source.name,
                "source": some.ravel().astype(np.int32),
                "target_layer": target.name,
                "target": every.ravel().astype(np.int32),
                **{name: values[here].ravel() for name, values in columns.items()},
            }
        )


def without_noise(
    effect: np.ndarray[Any, np.dtype[np.float64]], strength: np.ndarray[Any, np.dtype[np.float64]]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return effects, those 0 whose sign is rounding: below NOISE √strength (docs/method.md §4).

    Through a linear section the mean of what a centred feature does is 0, and computed as 1e-16.

    >>> without_noise(np.array([-2.0, -1e-16, 1e-9]), np.array([4.0, 4.0, 1e-9]))
    array([-2.e+00,  0.e+00,  1.e-09])
    """
    return np.where(np.abs(effect) < NOISE * np.sqrt(strength), 0.0, effect)


def _array(values: Tensor) -> np.ndarray[Any, Any]:
    array: np.ndarray[Any, Any] = values.cpu().numpy()
    return array


def shares(
    strength: np.ndarray[Any, np.dtype[np.float64]],
    target: np.ndarray[Any, np.dtype[np.int32]],
    from_constant: np.ndarray[Any, np.dtype[np.bool_]],
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return each interaction's share of the strength into its target, within one section.

    Sources with role constant are left out: their share is NaN, and so are the shares into a
    target that nothing else flows into. All other shares into one target sum to 1.

    >>> shares(np.array([9.0, 1.0, 3.0]), np.array([5, 5, 5]), np.array([True, False, False]))
    array([ nan, 0.25, 0.75])
    """
    counted = np.where(from_constant, 0.0, strength)
    total = np.bincount(target, weights=counted)[target] if len(target) else counted
    share = np.full(len(counted), np.nan)
    np.divide(counted, total, out=share, where=(total > 0) & ~from_constant)
    return share
