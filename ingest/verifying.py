"""What a store holds of a run, read back, and where it differs from the run folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from ingest.checksum import interaction_checksum
from ingest.contents import Contents
from ingest.pieces import PIECE_ROWS
from ingest.store.protocol import GraphStore, Row, Transaction
from lib_graph.errors import TransactionTooLargeError

__all__ = ["Difference", "both_features", "find_difference", "run_status", "update_labels"]

INTERACTIONS_AT_ONCE = 1_000_000  # to read: the embedded store collects at most ten million items
ANY_INDEX = 1 << 31

STATUS = "MATCH (r:Run {id: $run}) RETURN r.status AS status"
FEATURES = """
MATCH (:Run {id: $run})-[:HAS_LAYER]->(l:Layer)-[:HAS_FEATURE]->(f:Feature)
RETURN l.index AS owner, f.layer AS layer, f.layer_index AS layer_index, f.index AS index,
       f.role AS role, f.importance AS importance, f.variance AS variance, f.label AS label,
       f.cost_from_inputs AS cost_from_inputs, f.cost_to_outputs AS cost_to_outputs
ORDER BY layer_index, index
"""
RELABEL = """
UNWIND $rows AS row
MATCH (f:Feature {id: row.id})
WHERE f.run = $run
SET f.label = row.label
"""
INTERACTIONS = """
MATCH (s:Feature {run: $run, layer_index: $layer})-[i:INTERACTS|CONSTANT]->(t:Feature)
WHERE s.index >= $first AND s.index < $end
RETURN s.layer_index AS layer, s.index AS source, collect(t.index) AS targets,
       collect(i.strength) AS strengths
"""
ALL = """
MATCH (s:Feature {run: $run})-[i:INTERACTS|CONSTANT]->(t:Feature)
RETURN s.layer_index AS layer, s.index AS source, collect(t.index) AS targets,
       collect(i.strength) AS strengths
"""


@dataclass(frozen=True)
class Difference:
    """Where a store and a run folder disagree most. `relative` is 1 where one has no value."""

    relative: float
    where: str

    def __str__(self) -> str:
        return f"the largest relative difference is {self.relative:.2g}, in {self.where}"


def run_status(graph: GraphStore, stored_as: str) -> str | None:
    """Return 'loading', 'complete' or 'deleting', or None where the run is not in the store."""
    rows = graph.execute(STATUS, {"run": stored_as})
    return str(rows[0]["status"]) if rows else None


def both_features(graph: GraphStore, contents: Contents, stored_as: str) -> pd.DataFrame:
    """Return the features of a run folder and of a store, side by side; the latter end in _stored.

    A row that one of them lacks is there too, with nothing in its columns.
    """
    expected, stored = contents.features, graph.frame(FEATURES, {"run": stored_as})
    keys = ["layer_index", "index"]
    if np.array_equal(expected[keys].to_numpy(), stored[keys].to_numpy()):  # as nearly always
        renamed = {name: f"{name}_stored" for name in stored if name in expected}
        both = pd.concat([expected, stored.drop(columns=keys).rename(columns=renamed)], axis=1)
    else:
        both = expected.merge(stored, on=keys, how="outer", suffixes=("", "_stored"))
    return both


def _places(both: pd.DataFrame) -> list[str]:
    """Return LAYER/INDEX of each row."""
    layer = both.layer.fillna(both.layer_stored)
    return (layer + "/" + both["index"].astype(str)).to_list()


def find_difference(
    graph: GraphStore, contents: Contents, stored_as: str, both: pd.DataFrame
) -> Difference | None:
    """Return where the store disagrees most with a run folder, or None if it nowhere does.

    Features (`both_features`) are compared property by property, but for labels, which may change
    (`update_labels`); interactions by number and checksum of (id, strength), and only if these
    differ one by one.
    """
    differences = _differences(both, "importance", "variance")
    count, checksum = 0, 0
    for section in _stored(graph, contents, stored_as):
        columns = (section[name].to_numpy() for name in ("layer", "source", "target", "strength"))
        count += len(section)
        checksum = (checksum + interaction_checksum(*columns)) % 2**64
    if (count, checksum) != (contents.interactions, contents.checksum):
        differences.append(_strength_difference(graph, contents, stored_as))
    if not differences:  # costs follow from strengths, and say nothing new where those differ
        differences = _differences(both, "cost_from_inputs", "cost_to_outputs")
    return max(differences, key=_size, default=None)


def update_labels(graph: GraphStore, both: pd.DataFrame, stored_as: str) -> int:
    """Give the features in a store the labels of the run folder; return how many had others."""
    other = both.label.notna() & (both.label != both.label_stored)
    if not other.any():
        return 0
    changed = both[other]
    rows = [
        {"id": f"{stored_as}/{place}", "label": label}
        for place, label in zip(_places(changed), changed.label, strict=True)
    ]
    for start in range(0, len(rows), PIECE_ROWS):
        graph.transact(partial(_relabel, run=stored_as, rows=rows[start : start + PIECE_ROWS]))
    return len(rows)


def _relabel(transaction: Transaction, *, run: str, rows: list[Row]) -> None:
    transaction.execute(RELABEL, {"run": run, "rows": rows})


def _stored(graph: GraphStore, contents: Contents, stored_as: str) -> Iterator[pd.DataFrame]:
    """Return what the store holds, in parts: at once where that cannot be much, else by layer."""
    if len(contents.features) ** 2 <= INTERACTIONS_AT_ONCE:
        with suppress(TransactionTooLargeError):
            return iter([_read(graph, ALL, {"run": stored_as})])
    return (section for _, section in _sections(graph, contents, stored_as))


def _sections(
    graph: GraphStore, contents: Contents, stored_as: str
) -> Iterator[tuple[int, pd.DataFrame]]:
    features = contents.features.groupby("layer_index").size()
    for layer in range(len(contents.run.layers)):
        at_once = max(INTERACTIONS_AT_ONCE // int(features.get(layer + 1, 1)), 1)
        pieces, first, count = [], 0, int(features[layer])
        while first < count:
            end = first + at_once if first + at_once < count else ANY_INDEX  # all else counts too
            place = {"run": stored_as, "layer": layer, "first": first, "end": end}
            try:
                pieces.append(_read(graph, INTERACTIONS, place))
                first = end
            except TransactionTooLargeError:
                if at_once == 1:
                    raise
                at_once = -(-min(at_once, count) // 2)
        yield layer, pd.concat(pieces, ignore_index=True)


def _read(graph: GraphStore, text: str, parameters: Row) -> pd.DataFrame:
    """Return layer and source, target and strength of what the store holds, as a text gives it."""
    rows = graph.execute(text, parameters)
    ends = {name: np.array([row[name] for row in rows], np.int64) for name in ("layer", "source")}
    fans = [len(row["targets"]) for row in rows]
    return pd.DataFrame(
        {
            **{name: np.repeat(column, fans) for name, column in ends.items()},
            "target": np.array([t for row in rows for t in row["targets"]], dtype=np.int64),
            "strength": np.array([s for row in rows for s in row["strengths"]], dtype=np.float64),
        }
    )


def _differences(both: pd.DataFrame, *numbers: str) -> list[Difference]:
    """Return the worst difference in each of some properties of the features."""
    found = []
    for name in ("owner", "layer", "role"):
        expected = both.layer_index if name == "owner" else both[name]
        stored = both.owner if name == "owner" else both[f"{name}_stored"]
        other = (expected != stored).to_numpy(dtype=bool)
        if other.any():
            at = int(other.argmax())
            (place,) = _places(both[at : at + 1])
            found.append(Difference(1.0, f"{name} of {place}"))
    for name in numbers:
        relative = _relative(both[name], both[f"{name}_stored"])
        at = int(relative.argmax())
        if relative[at] > 0:
            (place,) = _places(both[at : at + 1])
            found.append(Difference(float(relative[at]), f"{name} of {place}"))
    return found


def _strength_difference(graph: GraphStore, contents: Contents, stored_as: str) -> Difference:
    names = [*(layer.name for layer in contents.run.layers), "no layer"]
    skips = contents.run.manifest.prompt is not None
    expected = {
        names.index(str(layer)): rows
        for section in contents.sections()
        for layer, rows in section.groupby("source_layer")
    }
    worst: Difference | None = None
    for layer, stored in _sections(graph, contents, stored_as):
        section = expected.get(layer, stored[:0])[["source", "target", "strength"]]
        both = section.merge(stored, on=["source", "target"], how="outer", suffixes=("", "_stored"))
        if not len(both):
            continue
        relative = _relative(both.strength, both.strength_stored)
        at = int(relative.argmax())
        if relative[at] > max(0.0, _size(worst)):
            after = "" if skips else f"{names[layer + 1]}/"
            ends = f"{names[layer]}/{both.source[at]} > {after}{both.target[at]}"
            worst = Difference(float(relative[at]), f"the strength of {ends}")
    return worst or Difference(1.0, "the number of interactions")


def _relative(one: pd.Series, other: pd.Series) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return |a − b| / max(|a|, |b|): 0 where both are null, 1 where only one is."""
    a, b = one.to_numpy(dtype=np.float64), other.to_numpy(dtype=np.float64)
    largest = np.maximum(np.abs(a), np.abs(b))
    relative = np.where(np.isnan(a) & np.isnan(b), 0.0, 1.0)
    np.divide(np.abs(a - b), largest, out=relative, where=largest > 0)
    relative[(a == b)] = 0.0
    return relative


def _size(difference: Difference | None) -> float:
    return -1.0 if difference is None else difference.relative
