"""Circuits: some features of a run and some interactions between them.

However a circuit was found (everything on a path whose shares are large, the union of the
strongest paths, the strongest interactions), it is one and the same object here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lib_graph.errors import UsageError
from lib_graph.run import FeatureId
from lib_graph.run.circuit import (
    FEATURE_COLUMNS,
    INTERACTION_COLUMNS,
    CircuitFile,
    Scores,
)
from lib_graph.support.showing import Display, Displayed
from lib_graph.support.tables import Record, records_of
from queries.asking.ends import End
from queries.asking.reader import Reader
from queries.asking.statements import Statement, read_text
from queries.asking.tables import stacked

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["Circuit", "circuit_from_pairs", "circuit_from_shares", "to_networkx"]

STRENGTHS = ["source", "target", "strength", "stderr", "effect", "share"]


@dataclass(frozen=True, eq=False, repr=False)
class Circuit(Displayed):
    """Features and interactions of one run.

    `features` has the columns FEATURE_COLUMNS, by layer and index, and of an attribution graph
    `position`; `interactions` has
    INTERACTION_COLUMNS, `source` and `target` being ids, by layer of the source and falling
    strength. `query` says how the circuit was found. `name` is None until it is saved, `scores`
    until it is tested.
    """

    run: str
    query: Mapping[str, Any]
    features: pd.DataFrame
    interactions: pd.DataFrame
    statements: tuple[Statement, ...] = ()
    name: str | None = None
    scores: Scores | None = None

    def __len__(self) -> int:
        return len(self.interactions)

    @property
    def pasted(self) -> Statement:
        """A statement that shows the circuit as a graph, to be pasted into Neo4j Browser."""
        parameters = {"run": self.run, "pairs": [list(pair) for pair in self.pairs()]}
        return Statement(read_text("browser/circuit_of"), parameters)

    def pairs(self) -> list[tuple[str, str]]:
        """Return the interactions as (source id, target id)."""
        return list(zip(self.interactions["source"], self.interactions["target"], strict=True))

    def to_pandas(self) -> pd.DataFrame:
        """Return the interactions."""
        return self.interactions.copy()

    def to_networkx(self) -> nx.DiGraph[str]:
        """Return the circuit as a directed graph whose nodes are feature ids."""
        return to_networkx(self.features, self.interactions)

    def records(self) -> list[Record]:
        """Return a row per interaction."""
        return records_of(self.interactions)

    def file(self) -> CircuitFile:
        """Return it as a file holds it."""
        tables = self.features, self.interactions
        return CircuitFile.of(self.run, self.query, *tables, name=self.name, scores=self.scores)

    def json_value(self) -> Record:
        """Return all of it as JSON has it; its scores are null until it is tested."""
        return self.file().json_value()

    def save(self, path: str | Path) -> None:
        """Write `json_value()` as a JSON file."""
        self.file().write(Path(path))

    def _display(self) -> Display:
        from queries.notebook.answers import circuit_display

        return circuit_display(self)


def circuit_from_shares(reader: Reader, source: End, target: End, *, min_share: float) -> Circuit:
    """Return all that lies on a path from `source` to `target` whose every share is large enough.

    It is found from the target backwards, a layer of targets at a time, and then pruned from the
    source forwards.

    Raises UsageError if `min_share` is no share or the ends are in the wrong order.
    """
    if not 0 <= min_share <= 1:
        raise UsageError(f"The least share is {min_share}. Give a number from 0 to 1.")
    if source.layer >= target.layer:
        raise UsageError(
            f"No circuit leads from '{source.place}' to '{target.place}': the layer of the first "
            "must come before the layer of the second."
        )
    numbers = {layer.name: layer.index for layer in reader.layers}
    wanted = {target.layer: target.ids(reader.run)}
    sections = []
    for layer in range(target.layer, source.layer, -1):
        into = read_text("interactions_into")
        section = reader.frame(into, targets=sorted(wanted.get(layer, ())), min_share=min_share)
        sections.append(section)
        for feature in set(section["source"]):
            wanted.setdefault(numbers[FeatureId.parse(feature).layer], set()).add(feature)
    reached = source.ids(reader.run)
    kept = []
    for section in reversed(sections):
        on_a_path = section[section["source"].isin(reached)]
        kept.append(on_a_path)
        reached |= set(on_a_path["target"])
    query = {"source": str(source.place), "target": str(target.place), "min_share": min_share}
    return _circuit(reader, query, stacked(kept))


def circuit_from_pairs(
    reader: Reader,
    query: Mapping[str, Any],
    pairs: Sequence[tuple[str, str]],
    features: Sequence[str] = (),
) -> Circuit:
    """Return the circuit of the interactions (source id, target id), and of features beside them.

    features: ids, of which the ends of the interactions may be some.
    """
    found = reader.frame(read_text("interactions_between"), pairs=[list(pair) for pair in pairs])
    return _circuit(reader, query, found, features)


def _circuit(
    reader: Reader,
    query: Mapping[str, Any],
    interactions: pd.DataFrame,
    beside: Sequence[str] = (),
) -> Circuit:
    ids = sorted({*interactions["source"], *interactions["target"], *beside})
    features = reader.frame(read_text("features_by_id"), ids=ids)[list(FEATURE_COLUMNS)]
    if reader.skips:
        nodes = reader.rows(read_text("prompt_nodes"))
        position = {node["id"]: node["position"] for node in nodes}
        features = features.assign(position=features["id"].map(position))
    labels = dict(zip(features["id"], features["label"], strict=True))
    layers = dict(zip(features["id"], features["layer_index"], strict=True))
    table = interactions[STRENGTHS].assign(
        source_label=interactions["source"].map(labels),
        target_label=interactions["target"].map(labels),
        layer=interactions["source"].map(layers),
    )
    table = table.sort_values(
        ["layer", "strength", "source", "target"], ascending=[True, False, True, True]
    )
    return Circuit(
        reader.run,
        query,
        features,
        table[list(INTERACTION_COLUMNS)].reset_index(drop=True),
        reader.statements,
    )


def to_networkx(features: pd.DataFrame, interactions: pd.DataFrame) -> nx.DiGraph[str]:
    """Return a directed graph: nodes are ids, and missing values have no attribute."""
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    for row in records_of(features):
        graph.add_node(row.pop("id"), **_present(row))
    for row in records_of(interactions[STRENGTHS]):
        graph.add_edge(row.pop("source"), row.pop("target"), **_present(row))
    return graph


def _present(row: Record) -> Record:
    return {key: value for key, value in row.items() if value is not None}
