"""Twins of the texts that hold two runs against each other, feature by feature.

Two features are the same where layer and index are: as in the texts, it is the caller who knows
whether that means something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ingest.store.columns import Columns, KeptRuns, SomeInteractions
from queries.columnar.rows import (
    Bools,
    Floats,
    Ints,
    important,
    interaction_frame,
    joined,
    sections,
)

__all__ = [
    "changed_interactions",
    "changed_variance",
    "input_ignores",
    "input_uses",
    "unusual_interactions",
]

NUMBERS = ("strength", "share")
UNKNOWN = 1.0e300  # as the text has it
OF_BASE = "source target factor share base_share strength source_label target_label"
Choice = Callable[[SomeInteractions], Bools]
Key = Callable[[SomeInteractions], tuple[Floats, ...]]
"""What rows are sorted by, the largest first; of equals the first by source and target"""


@dataclass(frozen=True, eq=False)
class _Beside:
    """One run, with what another run has between the same features."""

    run: Columns
    other: Columns

    @cached_property
    def row(self) -> Ints:
        """The row in the other run of each feature of the run, -1 where it has none."""
        here, there = (_places(columns) for columns in (self.run, self.other))
        row: Ints = there.get_indexer(here)
        return row

    def sections(self) -> Iterator[SomeInteractions]:
        """Yield the run's interactions, those of constants left out, a section at a time.

        With strength and share, and the other run's: other_strength and other_share, NaN where it
        has no such interaction.
        """
        yield self._with_other(self.run.section(-1, *NUMBERS))
        for section in sections(self.run, *NUMBERS):
            yield self._with_other(section)

    def _with_other(self, section: SomeInteractions) -> SomeInteractions:
        source, target = self.row[section.source], self.row[section.target]
        both = (source >= 0) & (target >= 0)
        size = len(self.other.layer)
        wanted = np.where(both, source * size + target, -1)
        found = {name: np.full(len(section), np.nan) for name in NUMBERS}
        for layer in np.unique(self.other.layer[source[both]]):
            there = self.other.section(int(layer), *NUMBERS)
            there = there.take(~self.other.constant[there.source])
            at = pd.Index(there.source * size + there.target).get_indexer(wanted)
            for name, column in found.items():
                column[at >= 0] = there[name][at[at >= 0]]
        return section.with_values(**{f"other_{name}": found[name] for name in NUMBERS})

    def first(self, choice: Choice, key: Key, k: int) -> SomeInteractions:
        """Return the first k of the interactions that are chosen."""
        parts = (_first(self.run, section.take(choice(section)), key, k)
                 for section in self.sections())  # fmt: skip
        return _first(self.run, joined(list(parts)), key, k)


def unusual_interactions(
    kept: KeptRuns, run: str, *, other: str, min_share: float, min_importance: float, limit: int
) -> pd.DataFrame | None:
    """Twin of unusual_interactions.cypher; None where not both runs are kept."""
    beside = _beside(kept, run, other)
    if beside is None:
        return None

    def key(rows: SomeInteractions) -> tuple[Floats, ...]:
        ratio = _ratio(rows)
        return np.where(np.isnan(ratio), UNKNOWN, ratio), rows["strength"]

    found = beside.first(_strong(beside.run, min_share, min_importance), key, limit)
    found = found.with_values(ratio=_ratio(found))
    return interaction_frame(
        beside.run, found,
        "source target strength other_strength ratio share other_share source_label target_label",
    )  # fmt: skip


def input_uses(
    kept: KeptRuns, run: str, *, min_share: float, min_importance: float, k: int
) -> pd.DataFrame | None:
    """Twin of library/input_uses.cypher; None where not both runs are kept."""
    if (base := _base(kept, run)) is None:
        return pd.DataFrame(columns=OF_BASE.split())
    beside = _beside(kept, run, base)
    if beside is None:
        return None
    found = beside.first(_strong(beside.run, min_share, min_importance), _more, k)
    found = found.with_values(factor=_ratio(found), base_share=_known(found, "other_share"))
    return interaction_frame(beside.run, found, OF_BASE)


def input_ignores(
    kept: KeptRuns, run: str, *, min_share: float, min_importance: float, k: int
) -> pd.DataFrame | None:
    """Twin of library/input_ignores.cypher; None where not both runs are kept."""
    if (base := _base(kept, run)) is None:
        return pd.DataFrame(columns=OF_BASE.split())
    beside = _beside(kept, base, run)
    if beside is None:
        return None
    found = beside.first(_strong(beside.run, min_share, min_importance), _more, k)
    found = found.with_values(
        factor=_ratio(found), base_share=found["share"],
        share=_known(found, "other_share"), strength=_known(found, "other_strength"),
    )  # fmt: skip
    places = _places(beside.run)
    return interaction_frame(beside.run, found, OF_BASE).assign(
        source=f"{run}/" + places[found.source], target=f"{run}/" + places[found.target]
    )


def changed_interactions(
    kept: KeptRuns, run: str, *, other: str, min_share: float, min_importance: float, k: int
) -> pd.DataFrame | None:
    """Twin of library/changed_interactions.cypher; None where not both runs are kept."""
    beside, back = _beside(kept, run, other), _beside(kept, other, run)
    if beside is None or back is None:
        return None
    strong, strong_there = (_strong(one.run, min_share, min_importance) for one in (beside, back))
    ends_there = important(back.run, min_importance)[beside.row]

    def in_either(rows: SomeInteractions) -> Bools:
        return strong(rows) | (ends_there[rows.target] & (rows["other_share"] >= min_share))

    def there_alone(rows: SomeInteractions) -> Bools:
        return strong_there(rows) & np.isnan(rows["other_share"])

    here = _changes(beside, beside.first(in_either, _change, k))
    there = _changes(back, back.first(there_alone, _change, k))
    names = {name: f"other_{name}" for name in NUMBERS}
    there = there.rename(columns=names | {new: old for old, new in names.items()})
    rows = pd.concat([here, there.assign(change=-there["change"])], ignore_index=True)
    rows = rows.assign(size=rows["change"].abs()).sort_values(
        ["size", "source", "target"], ascending=[False, True, True], ignore_index=True
    )[:k]
    return rows[
        ["source", "target", "change", "share", "other_share", "strength", "other_strength"]
    ]


def changed_variance(kept: KeptRuns, run: str, *, other: str, k: int) -> pd.DataFrame | None:
    """Twin of library/changed_variance.cypher; None where not both runs are kept."""
    beside = _beside(kept, run, other)
    if beside is None:
        return None
    here, there = beside.run.features, beside.other.features
    rows = pd.DataFrame({"feature": _places(beside.run), "layer": here["layer"]})
    for name in ("variance", "label"):
        rows[name] = here[name].to_numpy()
        rows[f"other_{name}"] = there[name].reindex(beside.row).to_numpy()
    rows = rows.dropna(subset=["variance", "other_variance"])
    totals = rows.groupby("layer")[["variance", "other_variance"]].transform("sum")
    rows = rows[(totals > 0).all(axis=1)]
    part, other_part = (rows[name] / totals[name] for name in totals)
    rows = rows.assign(part=part, other_part=other_part, change=other_part - part)
    rows = rows.assign(size=rows["change"].abs()).sort_values(
        ["size", "feature"], ascending=[False, True], ignore_index=True
    )[:k]
    return rows[["feature", "change", "part", "other_part", "label", "other_label"]]


def _beside(kept: KeptRuns, run: str, other: str) -> _Beside | None:
    """Return a run with another, None where not both are kept."""
    here, there = kept.run(run), kept.run(other)
    return None if here is None or there is None else _Beside(here, there)


def _base(kept: KeptRuns, run: str) -> str | None:
    """Return the id of the run whose features a run has."""
    base: str | None = next((each["base"] for each in kept.runs if each["id"] == run), None)
    return base


def _places(columns: Columns) -> pd.Index[str]:
    """Return LAYER/INDEX of each feature: its id without the run's."""
    return pd.Index(columns.features["id"].str[len(columns.run) + 1 :])


def _strong(columns: Columns, min_share: float, min_importance: float) -> Choice:
    """Return what chooses interactions that have a share, into targets that are important."""
    ends = important(columns, min_importance)
    return lambda rows: ends[rows.target] & (rows["share"] >= min_share)


def _known(rows: SomeInteractions, name: str) -> Floats:
    """Return a column with 0 for what is not there."""
    return np.nan_to_num(rows[name])


def _ratio(rows: SomeInteractions) -> Floats:
    """Return the strength over that in the other run, NaN where it has none."""
    with np.errstate(over="ignore"):
        ratio: Floats = rows["strength"] / rows["other_strength"]
    return ratio


def _more(rows: SomeInteractions) -> tuple[Floats, ...]:
    return (rows["share"] - _known(rows, "other_share"),)


def _change(rows: SomeInteractions) -> tuple[Floats, ...]:
    return (np.abs(_more(rows)[0]),)


def _changes(beside: _Beside, rows: SomeInteractions) -> pd.DataFrame:
    """Return interactions by LAYER/INDEX, with 0 for what the other run does not have."""
    places = _places(beside.run)
    numbers = [*NUMBERS, *(f"other_{name}" for name in NUMBERS)]
    return pd.DataFrame(
        {
            "source": places[rows.source], "target": places[rows.target],
            "change": 0.0 - _more(rows)[0], **{name: _known(rows, name) for name in numbers},
        }
    )  # fmt: skip


def _first(columns: Columns, rows: SomeInteractions, key: Key, k: int) -> SomeInteractions:
    by = [-each for each in reversed(key(rows))]
    order = np.lexsort((columns.rank[rows.target], columns.rank[rows.source], *by))
    return rows.take(order[:k])
