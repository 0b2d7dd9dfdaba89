"""What the twins of the Cypher texts are made of: sums by feature, the first rows of an order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from ingest.store.columns import Columns, SomeInteractions

__all__ = [
    "DECIMALS",
    "Bools",
    "Choice",
    "Floats",
    "Ints",
    "by_layer",
    "first_interactions",
    "important",
    "in_layer",
    "interaction_frame",
    "joined",
    "rows_with_ids",
    "sections",
    "sorted_features",
    "summed",
]

DECIMALS = 12  # of a sum, where rows are put in order by it: more than rounding leaves of it
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Choice = Callable[[SomeInteractions], Floats]
"""What a section's rows are sorted by, the smallest first; infinity for those left out"""


def sections(
    columns: Columns, *names: str, constants: bool = False, layers: Collection[int] | None = None
) -> Iterator[SomeInteractions]:
    """Yield the interactions a section at a time, without those out of constant features.

    layers: only those out of layers with these numbers; nothing of the others is read.
    """
    for layer in columns.layers[:-1]:
        if layers is not None and int(layer["index"]) not in layers:
            continue
        section = columns.section(int(layer["index"]), *names)
        kept = ~columns.constant[section.source]
        yield section if constants or kept.all() else section.take(kept)


def summed(columns: Columns, rows: Ints, values: Floats | None = None) -> Floats:
    """Return the sum of values, or the number of rows, by feature."""
    return np.bincount(rows, values, minlength=len(columns.layer)).astype(np.float64)


def by_layer(columns: Columns, values: Floats) -> Floats:
    """Return, at each feature, the sum of values over its layer."""
    total = np.bincount(columns.layer, values).astype(np.float64)
    return total[columns.layer]


def important(columns: Columns, least: float) -> Bools:
    """Return which features have at least `least` of the largest importance in their layer.

    All have where no importance of the layer is known.
    """
    importance = columns.features["importance"].to_numpy(dtype=np.float64)
    most = np.full(int(columns.layer.max()) + 1, np.nan)
    np.fmax.at(most, columns.layer, importance)
    of_layer = most[columns.layer]
    found: Bools = np.isnan(of_layer) | (importance >= least * of_layer)
    return found


def in_layer(columns: Columns, name: str | None) -> Bools:
    """Return which features are in the layer with this name, all for None."""
    if name is None:
        return np.ones(len(columns.layer), dtype=bool)
    numbers = [int(layer["index"]) for layer in columns.layers if layer["name"] == name]
    return np.isin(columns.layer, numbers)


def first_interactions(
    columns: Columns,
    names: tuple[str, ...],
    choice: Choice,
    k: int,
    *,
    constants: bool = False,
    layers: Collection[int] | None = None,
) -> SomeInteractions:
    """Return the k interactions that `choice` puts first; of equals the first by source and target.

    A section at a time: only what can still be among the k is kept. `layers` is as in `sections`.
    """
    found: list[tuple[SomeInteractions, Floats]] = []
    bound = np.inf
    for section in sections(columns, *names, constants=constants, layers=layers):
        by = choice(section)
        kept = np.flatnonzero((by <= bound) & (by < np.inf))
        if len(kept) > k:
            bound = float(np.partition(by[kept], k - 1)[k - 1])
            kept = kept[by[kept] <= bound]
        found.append((section.take(kept), by[kept]))
    everything = joined([columns.section(-1, *names), *(section for section, _ in found)])
    rank = columns.rank
    by = np.concatenate([np.zeros(0), *(by for _, by in found)])
    order = np.lexsort((rank[everything.target], rank[everything.source], by))[:k]
    return everything.take(order)


def rows_with_ids(columns: Columns, ids: Sequence[str]) -> Ints:
    """Return the rows of the features with these ids, those that are there, in their order."""
    place = {name: row for row, name in enumerate(columns.ids.to_pylist())}
    return np.array([place[name] for name in ids if name in place], dtype=np.int64)


def joined(parts: list[SomeInteractions]) -> SomeInteractions:
    """Return sections with the same columns as one."""
    return SomeInteractions(
        np.concatenate([part.source for part in parts]),
        np.concatenate([part.target for part in parts]),
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0].values},
    )


def interaction_frame(columns: Columns, section: SomeInteractions, names: str) -> pd.DataFrame:
    """Return a table of interactions with some columns.

    Of 'source', 'target' (ids), 'source_label', 'target_label', and those of the section.
    """
    ends = {"source": section.source, "target": section.target}
    texts = {
        **{end: (columns.ids, rows) for end, rows in ends.items()},
        **{f"{end}_label": (columns.labels, rows) for end, rows in ends.items()},
    }
    table = pa.table(
        {
            name: texts[name][0].take(pa.array(texts[name][1]))
            if name in texts
            else pa.array(section[name])
            for name in names.split()
        }
    )
    frame: pd.DataFrame = table.to_pandas()
    return frame


def sorted_features(
    columns: Columns, kept: Bools, by: Floats, k: int, values: dict[str, Any]
) -> pd.DataFrame:
    """Return the k features of `kept` that come first by `by`: feature, label and the values.

    Of equals the first by id comes first.
    """
    rows = np.flatnonzero(kept)
    rows = rows[np.lexsort((columns.rank[rows], by[rows]))][:k]
    take = pa.array(rows)
    frame: pd.DataFrame = pa.table(
        {
            "feature": columns.ids.take(take),
            "label": columns.labels.take(take),
            **{name: pa.array(np.asarray(value)[rows]) for name, value in values.items()},
        }
    ).to_pandas()
    return frame
