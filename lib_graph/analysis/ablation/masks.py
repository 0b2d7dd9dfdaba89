"""Masks over the interactions of a section, and what the section does under one.

Each target feature is computed from the sources that its mask keeps, all others at their mean:
f̂'_i = F̂_i(f̂ ∘ mask_i). The constant feature is always kept, and in no mask (docs/method.md §13).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lib_graph.analysis.ablation.narrowing import narrowed
from lib_graph.analysis.ablation.scored import LinearBasis, ScoredBatch
from lib_graph.errors import RunError, UsageError
from lib_graph.method.ends import Ends
from lib_graph.method.network import Constants, Section
from lib_graph.run import LayerInfo, Run

__all__ = ["Edges", "MaskedSection", "edges_of", "masked"]

Mask = Bool[Tensor, "r next_r"]


@dataclass(frozen=True, eq=False)
class Edges:
    """The interactions of a section whose source is not constant, the strongest first.

    `pairs` counts features without the constant, `table` holds the rows of the run. Equal strengths
    are in the order of source and target.
    """

    source: LayerInfo
    target: LayerInfo
    pairs: Int[Tensor, "p 2"]
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.pairs)

    def mask(self, chosen: slice | Int[Tensor, " n"]) -> Mask:
        """Return the mask that keeps the chosen interactions, by their rank from 0."""
        mask = torch.zeros(self.source.features, self.target.features, dtype=torch.bool)
        mask[tuple(self.pairs[chosen].T)] = True
        return mask

    def strongest(self, n: int) -> Mask:
        """Return the mask that keeps the n strongest interactions."""
        return self.mask(slice(n))

    def shuffled(self, generator: torch.Generator) -> Int[Tensor, " p"]:
        """Return the ranks of all interactions in random order."""
        return torch.randperm(len(self), generator=generator)

    @cached_property
    def rank(self) -> Mapping[tuple[int, int], int]:
        """The rank of each interaction (source index, target index), from 0."""
        keys = zip(self.table["source"].tolist(), self.table["target"].tolist(), strict=True)
        return {key: rank for rank, key in enumerate(keys)}


def edges_of(run: Run) -> dict[str, Edges]:
    """Return the interactions of every section of a run, by the name of the source layer.

    Raises RunError if a section has none.
    """
    found = {}
    for table in run.sections():
        layers = {layer.name: layer for layer in run.layers}
        source = layers[table["source_layer"].iloc[0]]
        target = layers[table["target_layer"].iloc[0]]
        table = table[table["source"] >= source.first_index]
        order = ["strength", "source", "target"]
        table = table.sort_values(order, ascending=[False, True, True]).reset_index(drop=True)
        pairs = np.stack(
            [table["source"] - source.first_index, table["target"] - target.first_index], 1
        )
        found[source.name] = Edges(source, target, torch.from_numpy(pairs.astype(np.int64)), table)
    for layer in run.layers[:-1]:
        if layer.name not in found:
            raise RunError(f"Nothing flows out of layer {layer.name!r}: no edges can be kept.")
    return found


def masked(scored: ScoredBatch, masks: Mapping[str, Mask]) -> Float[Tensor, "n t r"]:
    """Return the last layer's features with a mask in every section, by its source layer's name."""
    features = scored.features(scored.network.layers[0])
    for section in scored.network.sections:
        features = MaskedSection.of(scored, section, features)(masks[section.source.name])
    return features


@dataclass(eq=False)
class MaskedSection:
    """A section on given features of its source layer, asked with one mask after the other.

    What a mask has in common with one of the last few is not computed again.
    """

    section: Section
    source: LinearBasis
    target: LinearBasis
    constants: Constants
    features: Float[Tensor, "n s r"]
    _known: OrderedDict[tuple[int, bytes], Tensor] = field(default_factory=OrderedDict)

    @classmethod
    def of(
        cls, scored: ScoredBatch, section: Section, features: Float[Tensor, "n s r"]
    ) -> MaskedSection:
        """Return a section on some data."""
        source, target = (scored.bases[layer.name] for layer in (section.source, section.target))
        return cls(section, source, target, scored.batch.constants, features)

    @torch.no_grad()
    def __call__(self, mask: Mask) -> Float[Tensor, "n t next_r"]:
        """Return f̂', the target layer's features under a mask.

        Raises UsageError if the mask is not source features × target features, without constants.
        """
        basis, following = self.source, self.target
        if mask.shape != (basis.features, following.features):
            raise UsageError(
                f"A mask of {' × '.join(map(str, mask.shape))} does not fit the interactions from "
                f"{self.section.source.name!r} to {self.section.target.name!r}: they are "
                f"{basis.features} × {following.features}."
            )
        at_once = self.section.kind.masked(self._ends, mask.to(self.features.device))
        if at_once is not None:
            return at_once(self.features) + following.offset
        rows, row_of = torch.unique(mask.T, dim=0, return_inverse=True)
        columns: list[Tensor | None] = [None] * mask.shape[1]
        for number, row in enumerate(rows):
            key = row.numpy().tobytes()
            targets = (row_of == number).nonzero()[:, 0].tolist()
            missing = [i for i in targets if (i, key) not in self._known]
            if missing:
                for i, column in zip(missing, self._columns(row, missing).unbind(-1), strict=True):
                    self._known[i, key] = column.clone()
            for i in targets:
                columns[i] = self._known[i, key]
                self._known.move_to_end((i, key))
        while len(self._known) > 4 * mask.shape[1]:
            self._known.popitem(last=False)
        return torch.stack([column for column in columns if column is not None], -1)

    def _columns(self, row: Bool[Tensor, " r"], targets: list[int]) -> Float[Tensor, "n t m"]:
        """Return the features `targets`, computed from the sources that `row` keeps."""
        kept, ends = row.nonzero()[:, 0], self._ends
        toward = None if ends.toward is None else ends.toward[:, targets]
        narrow = narrowed(self.section, Ends(ends.directions[kept], ends.offset, toward))
        coordinates = self.features.index_select(2, kept.to(self.features.device))
        return narrow(coordinates, self.constants) + self.target.offset[targets]

    @cached_property
    def _ends(self) -> Ends:
        """All features of the source layer, and of the target layer."""
        return Ends(self.source.inverse, self.source.origin, self.target.rotation)
