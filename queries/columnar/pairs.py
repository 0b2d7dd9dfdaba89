"""Twins of the named queries about two features of a layer that are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ingest.store.columns import Columns
from queries.columnar.rows import DECIMALS, Floats, Ints

__all__ = ["redundant_pairs", "similar_answers"]


def redundant_pairs(columns: Columns, *, layer: str, min_share: float, k: int) -> pd.DataFrame:
    """Twin of library/redundant_pairs.cypher."""
    section = columns.section(_number(columns, layer), "strength", "share")
    section = section.take(section["share"] >= min_share)  # no constant one has a share
    return _Rows.of(section.source, section.target, section["strength"]).alike(columns, k)


def similar_answers(columns: Columns, *, layer: str, min_share: float, k: int) -> pd.DataFrame:
    """Twin of library/similar_answers.cypher."""
    section = columns.into(_number(columns, layer), "share")
    section = section.take(section["share"] >= min_share)
    return _Rows.of(section.target, section.source, section["share"]).alike(columns, k)


def _number(columns: Columns, layer: str) -> int:
    """Return the number of a layer, one that no layer has where there is none of this name."""
    return next((int(each["index"]) for each in columns.layers if each["name"] == layer), -1)


@dataclass(frozen=True, eq=False)
class _Rows:
    """A row of numbers for each of some features, of length 1, with what is not 0 alone.

    `names` are the features, `row` and `root` what is not 0, in the order of its column; that of a
    column begins at `begin`.
    """

    names: Ints
    row: Ints
    column: Ints
    root: Floats
    begin: Ints

    @classmethod
    def of(cls, feature: Ints, other: Ints, weight: Floats) -> _Rows:
        """Return the square roots of each feature's weights over their sum."""
        names, row = np.unique(feature, return_inverse=True)
        found, column = np.unique(other, return_inverse=True)
        root = np.sqrt(weight / np.bincount(row, weight, minlength=len(names))[row])
        order = np.lexsort((row, column))
        begin = np.searchsorted(column[order], np.arange(len(found) + 1))
        return cls(names, row[order], column[order], root[order], begin)

    def alike(self, columns: Columns, k: int) -> pd.DataFrame:
        """Return the k pairs with the largest cosines, of equals the first by id."""
        best = _Pairs.of(columns)
        by_row = np.argsort(self.row, kind="stable")
        ends = np.searchsorted(self.row[by_row], np.arange(len(self.names) + 1))
        for one in range(len(self.names)):
            own = by_row[ends[one] : ends[one + 1]]
            size = self.begin[self.column[own] + 1] - own - 1  # rows after it in the same column
            at = np.repeat(own + 1 - np.cumsum(size) + size, size) + np.arange(size.sum())
            product = self.root[at] * np.repeat(self.root[own], size)
            cosine = np.bincount(self.row[at], product).astype(np.float64)
            common = np.bincount(self.row[at])
            others = np.flatnonzero(common)
            best = best.with_more(
                self.names[one], self.names[others], cosine[others], common[others], k
            )
        return best.frame()


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs of features, the most alike first."""

    columns: Columns
    first: Ints
    second: Ints
    similarity: Floats
    common: Ints

    @classmethod
    def of(cls, columns: Columns) -> _Pairs:
        none = np.zeros(0, np.int64)
        return cls(columns, none, none, np.zeros(0), none)

    def with_more(self, one: int, others: Ints, similarity: Floats, common: Ints, k: int) -> _Pairs:
        """Return the best k of these and of the pairs of one feature."""
        new = (np.full(len(others), one), others, similarity, common)
        old = (self.first, self.second, self.similarity, self.common)
        first, second, similarity, common = map(np.concatenate, zip(old, new, strict=True))
        rank, by = self.columns.rank, -np.round(similarity, DECIMALS)
        order = np.lexsort((rank[second], rank[first], by))[:k]
        return _Pairs(self.columns, first[order], second[order], similarity[order], common[order])

    def frame(self) -> pd.DataFrame:
        ends = {"first": self.first, "second": self.second}
        names = {name: self.columns.ids.take(rows).to_pandas() for name, rows in ends.items()}
        labels = {
            f"{name}_label": self.columns.labels.take(rows).to_pandas()
            for name, rows in ends.items()
        }
        return pd.DataFrame(
            {**names, "similarity": self.similarity, "common": self.common, **labels}
        )
