"""A run cut into pieces, each small enough for one transaction, always in the same way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ingest.contents import Contents
from ingest.rows import FeatureRows, layer_numbers
from ingest.schema import (
    CONSTANT,
    FEEDS,
    HAS_FEATURE,
    HAS_LAYER,
    INTERACTS,
    LAYER,
    NodeTable,
    RelationshipTable,
)
from ingest.store.protocol import Transaction

__all__ = ["PIECE_ROWS", "Piece", "pieces"]

PIECE_ROWS = 10_000
STRENGTHS = (INTERACTS, CONSTANT)
ENDS = ("source", "target")


@dataclass(frozen=True)
class Piece:
    """Nodes and relationships that are written together, or in parts, the first rows first."""

    nodes: tuple[tuple[NodeTable, pd.DataFrame], ...]
    relationships: tuple[tuple[RelationshipTable, pd.DataFrame], ...]

    @property
    def rows(self) -> int:
        """How many rows there are to cut at: the length of the longest table, 1 for the layers."""
        tables = (*self.nodes, *self.relationships)
        if tables[0][0] is LAYER:  # two of which belong to each FEEDS
            return 1
        return max(len(frame) for _, frame in tables)

    def cut(self, first: int, end: int) -> Piece:
        """Return the part of the rows from `first` to before `end`, of all its tables alike."""
        if (first, end) == (0, self.rows):
            return self
        return Piece(
            tuple((table, frame[first:end]) for table, frame in self.nodes),
            tuple((table, frame[first:end]) for table, frame in self.relationships),
        )

    @property
    def interactions(self) -> int:
        """How many interactions the batch brings."""
        return sum(len(frame) for table, frame in self.relationships if table in STRENGTHS)

    def write(self, transaction: Transaction) -> None:
        """Create the nodes, then the relationships."""
        for nodes, frame in self.nodes:
            transaction.add_nodes(nodes, frame)
        for relationships, frame in self.relationships:
            if len(frame):
                transaction.add_relationships(relationships, frame)


def pieces(contents: Contents, stored_as: str) -> Iterator[Piece]:
    """Yield layers, then features, then interactions of a run under the id `stored_as`.

    At most PIECE_ROWS features or interactions at a time. The Run node must be there already.
    """
    layers = contents.layer_nodes(stored_as)
    yield Piece(
        ((LAYER, layers),),
        (
            (HAS_LAYER, _pairs(stored_as, layers.id)),
            (FEEDS, _pairs(layers.id[:-1].to_numpy(), layers.id[1:])),
        ),
    )
    features = contents.feature_nodes(stored_as)
    for start in range(0, len(features), PIECE_ROWS):
        rows = features[start : start + PIECE_ROWS]
        owned = _pairs((stored_as + "/" + rows.layer).to_numpy(), rows.id)
        yield Piece(((contents.table, rows),), ((HAS_FEATURE, owned),))
    ids = _Ids.of(contents, features)
    for section in contents.sections():
        ends = {end: ids.at(section[f"{end}_layer"], section[end]) for end in ENDS}
        section = section.assign(**ends)
        constant = section.share.isna()
        parts = ((CONSTANT, section[constant]), (INTERACTS, section[~constant]))
        for table, kept in parts if constant.any() else ((INTERACTS, section),):
            for start in range(0, len(kept), PIECE_ROWS):
                yield Piece((), ((table, kept[start : start + PIECE_ROWS]),))


@dataclass(frozen=True)
class _Ids:
    """The ids of features that are named by layer and index."""

    layers: dict[str, int]
    rows: FeatureRows
    ids: NDArray[np.object_]

    @classmethod
    def of(cls, contents: Contents, features: pd.DataFrame) -> _Ids:
        layer, index = (features[name].to_numpy() for name in ("layer_index", "index"))
        layers = {layer.name: layer.index for layer in contents.run.layers}
        rows = FeatureRows.of(layer, index, len(layers))
        return cls(layers, rows, features.id.to_numpy(dtype=object))

    def at(self, layer: pd.Series[Any], index: pd.Series[Any]) -> NDArray[np.object_]:
        found: NDArray[np.object_] = self.ids[
            self.rows.at(layer_numbers(layer, self.layers), index.to_numpy())
        ]
        return found


def _pairs(source: object, target: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"source": source, "target": target.to_numpy()})
