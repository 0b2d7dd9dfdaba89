"""The interactions that carry most of the strength: what is shown of a run that is too large.

Strengths of different sections are not comparable, so each section is counted by itself: of its
interactions, the strongest come first, and one is kept if those before it carry less than the share
asked for. `kept_at` is what those before it carry, so one number decides for all sections alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lib_graph.errors import UsageError
from lib_graph.support.showing import Display, Displayed
from lib_graph.support.tables import Record, records_of
from queries.asking.places import StoredLayer
from queries.asking.reader import Reader
from queries.asking.statements import Statement, read_text
from queries.asking.tables import stacked

__all__ = ["Overview", "Ranked", "find_overview", "rank_interactions"]

COLUMNS = ("source", "target", "strength", "effect", "share", "kept_at")


@dataclass(frozen=True, eq=False, repr=False)
class Ranked(Displayed):
    """The first interactions of a run in the order in which a rising share keeps them.

    `rows` has source, target, strength, effect, share, kept_at, and `part`, the interaction's part
    of its section's strength; the first that is not among them has `kept_at` = `next_at`. In all
    there are so many `features` and `interactions` in so many `sections`, without the constant
    features and what they drive. `strengths` is what each layer, by its number, sends out in all.
    """

    run: str
    rows: pd.DataFrame
    next_at: float
    features: int
    interactions: int
    sections: int
    strengths: dict[int, float]
    statements: tuple[Statement, ...] = ()

    def _display(self) -> Display:
        from queries.notebook.answers import rows_display

        return rows_display("the first interactions as a share rises", self.rows, self.run)

    def counts(self) -> list[int | None]:
        """Return how many interactions each percent keeps, 0 to 100; None if not all are here."""
        shares = np.arange(101) / 100
        counts = np.searchsorted(self.rows["kept_at"].to_numpy(), shares, side="left").tolist()
        known = (shares <= self.next_at).tolist()
        return [count if here else None for count, here in zip(counts, known, strict=True)]


@dataclass(frozen=True, eq=False, repr=False)
class Overview(Displayed):
    """The interactions that carry `share` of the strength of each section, and their ends.

    `interactions` has source, target, strength, effect, share and kept_at, by rising kept_at;
    `features` has FEATURE_COLUMNS, by layer and index. `kept` is the part of the strength that is
    shown, the mean over the sections; `cut` says that there were more than the limit.
    """

    run: str
    share: float
    kept: float
    cut: bool
    features_of: int
    interactions_of: int
    features: pd.DataFrame
    interactions: pd.DataFrame
    statements: tuple[Statement, ...] = ()

    def to_pandas(self) -> pd.DataFrame:
        """Return the interactions."""
        return self.interactions.copy()

    def json_value(self) -> Record:
        """Return all of it as JSON has it."""
        numbers = ("run", "share", "kept", "cut", "features_of", "interactions_of")
        return {
            **{name: getattr(self, name) for name in numbers},
            "features": records_of(self.features),
            "interactions": records_of(self.interactions),
        }

    def _display(self) -> Display:
        from queries.notebook.answers import rows_display

        return rows_display(
            f"{self.share:.0%} of the strength of run {self.run}", self.interactions, self.run
        )


def rank_interactions(reader: Reader, layers: Sequence[StoredLayer], *, limit: int) -> Ranked:
    """Return the first `limit` interactions in the order in which a rising share keeps them.

    Raises UsageError for a limit of less than 1.
    """
    if limit < 1:
        raise UsageError(f"The limit is {limit}. Ask for at least 1 interaction.")
    totals = records_of(reader.frame(read_text("section_totals")))
    sections = [_section(reader, int(row["layer"]), row["strength"], limit) for row in totals]
    rows = stacked(sections) if sections else pd.DataFrame(columns=[*COLUMNS, "part"])
    rows = rows.sort_values(["kept_at", "source", "target"], ignore_index=True)
    beyond = rows["kept_at"].iloc[limit] if len(rows) > limit else math.inf
    ends = [
        float(section["kept_at"].iloc[-1] + section["part"].iloc[-1])
        for section, row in zip(sections, totals, strict=True)
        if len(section) < row["interactions"]
    ]
    return Ranked(
        reader.run,
        rows.head(limit),
        min([float(beyond), *ends]),
        sum(layer.features for layer in layers),
        sum(row["interactions"] for row in totals),
        len(totals),
        {int(row["layer"]): float(row["strength"]) for row in totals},
        reader.statements,
    )


def find_overview(reader: Reader, ranked: Ranked, *, share: float) -> Overview:
    """Return what carries `share` of the strength of each section, as far as it was ranked.

    Raises UsageError for a share that is none.
    """
    if not 0 <= share <= 1:
        raise UsageError(f"The share is {share}. Give a number from 0 to 1.")
    rows = ranked.rows[ranked.rows["kept_at"] < share]
    ends = sorted({*rows["source"], *rows["target"]})
    features = reader.frame(read_text("features_by_id"), ids=ends)
    return Overview(
        run=reader.run,
        share=share,
        kept=float(rows["part"].sum()) / max(ranked.sections, 1),
        cut=ranked.next_at < share,
        features_of=ranked.features,
        interactions_of=ranked.interactions,
        features=features,
        interactions=rows[list(COLUMNS)].reset_index(drop=True),
        statements=(*ranked.statements, *reader.statements),
    )


def _section(reader: Reader, layer: int, total: float, limit: int) -> pd.DataFrame:
    """Return the strongest interactions out of a layer, and how a rising share keeps them."""
    asked: dict[str, Any] = dict.fromkeys(("source", "target_layer", "target"))
    asked |= {"source_layer": layer, "constants": False, "min_strength": 0.0, "limit": limit}
    found = reader.frame(read_text("interactions"), **asked)
    part = found["strength"] / total if total else found["strength"]
    return found.assign(kept_at=part.cumsum() - part, part=part)[[*COLUMNS, "part"]]
