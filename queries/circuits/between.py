"""What lies on the paths between two ends, as arrays: what searches through paths work on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from queries.asking.ends import End
from queries.asking.reader import Reader
from queries.asking.statements import read_text

__all__ = [
    "NONE",
    "Between",
    "Indices",
    "Links",
    "Logs",
    "Mask",
    "between",
    "feature_ids",
    "read_between",
]  # fmt: skip

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]
Logs = NDArray[np.float64]
"""Logarithms to base 2 of shares and of their products, −∞ for nothing."""

NONE = -np.inf
BLOCK = 2**16  # numbers that are worked on at once


@dataclass(frozen=True, eq=False)
class Between:
    """All features and interactions on some path from one end to another.

    Features stand by layer and index, interactions by target and then by source, which are
    positions among the features. An interaction leads to any later layer. `starts` and `ends` say
    which features are ends: those of the first layer and of the last. Where no path leads, all are
    empty.
    """

    layer: Indices
    index: Indices
    source: Indices
    target: Indices
    share: NDArray[np.float64]
    starts: Mask
    ends: Mask

    def __len__(self) -> int:
        return len(self.share)

    @cached_property
    def logs(self) -> Logs:
        """log2 share."""
        return np.log2(self.share)

    @cached_property
    def depth(self) -> int:
        """The number of layers: no path has so many interactions."""
        return len(np.unique(self.layer))

    @cached_property
    def into(self) -> tuple[tuple[slice, slice], ...]:
        """Of each layer but the first, in order: its features, and the interactions into them."""
        edges = _starts(self.target, len(self.layer))
        return tuple(
            (slice(first, end), slice(int(edges[first]), int(edges[end])))
            for first, end in self._layers[1:]
        )

    @cached_property
    def out_of(self) -> tuple[tuple[slice, Indices], ...]:
        """Of each layer but the last, in order: its features, and the interactions out of them.

        The interactions are by source and then by target.
        """
        order = np.argsort(self.source, kind="stable")
        edges = _starts(self.source, len(self.layer))
        return tuple(
            (slice(first, end), order[int(edges[first]) : int(edges[end])])
            for first, end in self._layers[:-1]
        )

    def inputs(self, feature: int) -> Indices:
        """Return the interactions into a feature."""
        return np.arange(*np.searchsorted(self.target, [feature, feature + 1]))

    def best_into(self, number: int, rows: Logs, kept: Indices | None = None) -> Logs:
        """Return, for each row, the largest of row[source] + log2 share into a layer's features.

        number: of the layer, in `into`. kept: of these interactions alone, rising. −∞ for nothing.
        """
        features, edges = self.into[number]
        chosen: slice | Indices = edges if kept is None else kept
        source, target, logs = self.source[chosen], self.target[chosen], self.logs[chosen]
        width = features.stop - features.start
        found = np.full((len(rows), width), NONE)
        some = np.flatnonzero((rows > NONE).any(axis=1))
        for part in range(0, len(some), step := max(1, BLOCK // max(1, len(source)))):
            taken = some[part : part + step]
            through = rows[taken][:, source] + logs
            found[taken] = _largest(through, target - features.start, width)
        return found

    def best_out(self, number: int, row: Logs) -> Logs:
        """Return the largest of log2 share + row[target] out of each feature of a layer.

        number: of the layer, in `out_of`. −∞ for nothing.
        """
        features, edges = self.out_of[number]
        through = (row[self.target[edges]] + self.logs[edges])[None]
        width = features.stop - features.start
        best: Logs = _largest(through, self.source[edges] - features.start, width)[0]
        return best

    @cached_property
    def _layers(self) -> list[tuple[int, int]]:
        """The first feature of each layer, and the one after its last."""
        _, first = np.unique(self.layer, return_index=True)
        return list(pairwise([*first.tolist(), len(self.layer)] if len(first) else []))


@dataclass(frozen=True, eq=False)
class Links:
    """Interactions as arrays of equal length: layers are numbers, source and target indices."""

    source_layer: Indices
    source: Indices
    target_layer: Indices
    target: Indices
    share: NDArray[np.float64]


def between(
    edges: Links, starts: tuple[int, Collection[int]], ends: tuple[int, Collection[int]]
) -> Between:
    """Return what of `edges` lies on a path from one of `starts` to one of `ends`.

    An end is a layer and indices in it.

    >>> layers = np.array([0, 0, 1, 1]), np.array([1, 1, 2, 2])
    >>> indices = np.array([1, 4, 2, 3]), np.array([2, 3, 9, 8])
    >>> edges = Links(layers[0], indices[0], layers[1], indices[1], np.full(4, 0.5))
    >>> found = between(edges, starts=(0, [1, 4, 5]), ends=(2, [8]))
    >>> found.layer.tolist(), found.index.tolist(), len(found)
    ([0, 1, 2], [4, 3, 8], 2)
    """
    every = np.concatenate([edges.source, edges.target])
    width = int(every.max(initial=0)) + 1
    keys = np.concatenate([edges.source_layer, edges.target_layer]) * width + every
    places, at = np.unique(keys, return_inverse=True)
    source, target = np.split(at, 2)
    order = np.lexsort((source, target))
    layer, index = np.divmod(places, width)
    is_start, is_end = (
        (layer == number) & np.isin(index, np.array(sorted(indices), dtype=np.int64))
        for number, indices in (starts, ends)
    )
    columns = source[order], target[order], edges.share[order]
    return _on_paths(Between(layer, index, *columns, is_start, is_end))


def _on_paths(whole: Between) -> Between:
    """Return the part of all that is reached from the starts and leads to the ends."""
    reached, leading = whole.starts.copy(), whole.ends.copy()
    for _, edges in whole.into:
        reached[whole.target[edges][reached[whole.source[edges]]]] = True
    for _, edges in reversed(whole.out_of):
        leading[whole.source[edges][leading[whole.target[edges]]]] = True
    kept = reached[whole.source] & leading[whole.target]
    used = np.zeros(len(whole.layer), dtype=bool)
    used[whole.source[kept]] = used[whole.target[kept]] = True
    position = np.cumsum(used) - 1
    return Between(
        whole.layer[used], whole.index[used], position[whole.source[kept]],
        position[whole.target[kept]], whole.share[kept], whole.starts[used], whole.ends[used],
    )  # fmt: skip


def read_between(reader: Reader, source: End, target: End) -> Between:
    """Return what lies on a path of positive strength from `source` to `target`."""
    wanted: dict[int, set[int]] = defaultdict(set)
    wanted[target.layer] = set(target.indices)
    parts: dict[str, list[Any]] = defaultdict(list)
    for layer in range(target.layer, source.layer, -1):
        place = f"{reader.run}/{reader.layers[layer].name}"
        ids = [f"{place}/{index}" for index in sorted(wanted[layer])]
        for row in reader.rows(read_text("shares_into"), targets=ids) if ids else []:
            layers, indices = np.array(row["layers"]), np.array(row["sources"])
            parts["source_layer"].append(layers)
            parts["source"].append(indices)
            parts["target_layer"].append(np.full(len(indices), layer))
            parts["target"].append(np.full(len(indices), row["target"]))
            parts["share"].append(np.array(row["shares"], dtype=np.float64))
            for number in np.unique(layers[layers >= source.layer]).tolist():
                wanted[number].update(indices[layers == number].tolist())
    edges = Links(
        _joined(parts["source_layer"], np.int64),
        _joined(parts["source"], np.int64),
        _joined(parts["target_layer"], np.int64),
        _joined(parts["target"], np.int64),
        _joined(parts["share"], np.float64),
    )
    return between(edges, (source.layer, source.indices), (target.layer, target.indices))


def feature_ids(reader: Reader, ground: Between) -> list[str]:
    """Return the ids of the features between two ends of the reader's run."""
    names = [f"{reader.run}/{layer.name}/" for layer in reader.layers]
    pairs = zip(ground.layer.tolist(), ground.index.tolist(), strict=True)
    return [f"{names[layer]}{index}" for layer, index in pairs]


def _starts(features: Indices, count: int) -> Indices:
    """Return where the rows of each feature start when they are sorted by it, and the end."""
    return np.concatenate([[0], np.cumsum(np.bincount(features, minlength=count))])


def _largest(rows: Logs, places: Indices, width: int) -> Logs:
    """Return the largest value of each row at each of `width` places, −∞ where there is none.

    >>> _largest(np.array([[1.0, 3.0, 2.0]]), np.array([0, 0, 2]), 3)
    array([[  3., -inf,   2.]])
    """
    found = np.full((len(rows), width), NONE)
    if len(places):
        heads = np.flatnonzero(np.diff(places, prepend=-1))
        found[:, places[heads]] = np.maximum.reduceat(rows, heads, axis=1)
    return found


def _joined(parts: list[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype, copy=False)
