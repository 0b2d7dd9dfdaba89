"""Circuits side by side: what each two of them have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd

from lib_graph.support.showing import Display, Displayed
from lib_graph.support.tables import Record
from queries.asking.statements import Statement
from queries.asking.tables import Table
from queries.circuits.circuit import Circuit

__all__ = ["Comparison", "compare_circuits"]

PAIR_COLUMNS = (
    "first", "second", "features", "features_jaccard", "interactions", "interactions_jaccard",
    "only_first", "only_second",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Displayed):
    """Circuits side by side.

    `circuits` is what `SavedCircuits.table` says of each. `pairs` has a row for each two: how many
    features and interactions they have in common, those numbers over the numbers of all that either
    has (Jaccard), and how many interactions only one of them has.
    """

    circuits: Table
    pairs: pd.DataFrame
    statements: tuple[Statement, ...] = ()

    def to_pandas(self) -> pd.DataFrame:
        """Return the pairs."""
        return self.pairs.copy()

    def json_value(self) -> Record:
        """Return circuits and pairs."""
        return {"circuits": self.circuits.records(), "pairs": Table(self.pairs).records()}

    def _display(self) -> Display:
        from queries.notebook.answers import comparison_display

        return comparison_display(self)


def compare_circuits(circuits: Sequence[Circuit], table: Table) -> Comparison:
    """Return what each two circuits have in common; `table` is what is known of each."""
    pairs = [_compared(*two) for two in combinations(circuits, 2)]
    statements = tuple(text for each in circuits for text in each.statements)
    return Comparison(table, pd.DataFrame(pairs, columns=PAIR_COLUMNS), statements)


def _compared(one: Circuit, other: Circuit) -> tuple[Any, ...]:
    features = set(one.features["id"]), set(other.features["id"])
    pairs = set(one.pairs()), set(other.pairs())
    return (
        one.name,
        other.name,
        *_overlap(*features),
        *_overlap(*pairs),
        len(pairs[0] - pairs[1]),
        len(pairs[1] - pairs[0]),
    )


def _overlap(one: set[Any], other: set[Any]) -> tuple[int, float]:
    """Return the size of what two sets have in common, and that over the size of their union."""
    return len(one & other), len(one & other) / len(one | other)
