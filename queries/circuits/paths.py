"""The k strongest paths between two ends, exactly and without listing paths.

A path's strength is the product of its shares; its cost, the sum of -ln share, is what is
minimised. The Cypher walks a layer at a time and keeps the k rows that are smallest in cost so far
plus the least cost of what is still to come; the worst of them bounds what the next layer can
bring, so hardly more than that is built. Ingest has stored the least cost from every feature to the
last layer and to the first; between other ends it is computed first, layer by layer.

Paths whose costs agree to 10 decimals are equally strong. Of those, the first by their ids come
first, compared from the first feature on; where the walk is backwards (the target is not the whole
last layer, the source is the whole first), from the last feature back. Where interactions skip
layers, `queries.circuits.searching` finds the paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from lib_graph.errors import TransactionTooLargeError, UsageError
from lib_graph.support.showing import Display, Displayed
from lib_graph.support.tables import Record
from queries.asking.ends import End
from queries.asking.reader import Reader
from queries.asking.statements import Statement, read_text
from queries.circuits.searching import strongest_between

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd

__all__ = ["Path", "Paths", "check_ends", "find_paths", "is_backwards", "path_of", "walk_text"]

WIDER = 4  # how much more is asked for when too few of the paths end where they should
WIDEST = 2_000  # rows that are asked for in that case: a server has to have room for them


@dataclass(frozen=True)
class Path:
    """A path from its first feature to its last (ids).

    `strength` is the product of `shares`, a number between 0 and 1; `cost` is -ln strength.
    """

    strength: float
    cost: float
    path: tuple[str, ...]
    shares: tuple[float, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Paths(Displayed):
    """The strongest paths, the strongest first: what was asked, and the statements that ran."""

    paths: tuple[Path, ...]
    statements: tuple[Statement, ...] = ()
    query: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def pasted(self) -> Statement | None:
        """The statement that walks, to be pasted into Neo4j Browser."""
        return self.statements[-1] if self.statements else None

    def records(self) -> list[Record]:
        """Return a row per path: strength, cost, path, shares, labels."""
        return [
            {
                "strength": path.strength,
                "cost": path.cost,
                "path": list(path.path),
                "shares": list(path.shares),
                "labels": list(path.labels),
            }
            for path in self.paths
        ]

    def json_value(self) -> list[Record]:
        """Return what JSON shows: `records()`."""
        return self.records()

    def to_pandas(self) -> pd.DataFrame:
        """Return a row per path; path, shares and labels are lists."""
        import pandas as pd

        columns = list(Path.__dataclass_fields__)
        return pd.DataFrame.from_records(self.records(), columns=columns)

    def pairs(self) -> list[tuple[str, str]]:
        """Return every interaction that is on one of the paths, as (source id, target id)."""
        steps = (step for path in self.paths for step in pairwise(path.path))
        return list(dict.fromkeys(steps))

    def to_networkx(self) -> nx.DiGraph[str]:
        """Return the union of the paths; an edge has its share, a node its label."""
        import networkx as nx

        graph: nx.DiGraph[str] = nx.DiGraph()
        for path in self.paths:
            for feature, label in zip(path.path, path.labels, strict=True):
                graph.add_node(feature, label=label)
            for i, share in enumerate(path.shares):
                graph.add_edge(path.path[i], path.path[i + 1], share=share)
        return graph

    def _display(self) -> Display:
        from queries.notebook.answers import paths_display

        return paths_display(self)


def find_paths(reader: Reader, source: End, target: End, *, k: int, layers: int) -> Paths:
    """Return the k strongest paths from `source` to `target` in a run of so many layers.

    The strongest come first, and of equals the first by id, as the head of this module says; fewer
    come back where there are fewer. Raises UsageError if k < 1 or the ends are not in the order of
    the layers, TransactionTooLargeError if a server has no room for so many at once.
    """
    check_ends(source, target, k)
    if reader.skips:
        found: list[Record] | None = strongest_between(reader, source, target, k)
    else:
        found = _by_stored_costs(reader, source, target, k, layers)
    if found is None:
        found = _by_own_costs(reader, source, target, k)
    query = {"source": str(source.place), "target": str(target.place), "paths": k}
    return Paths(tuple(map(path_of, found)), reader.statements, query)


def path_of(row: Record) -> Path:
    """Return the path of a row with strength, cost, path, shares and labels."""
    path, shares, labels = (tuple(row[name]) for name in ("path", "shares", "labels"))
    return Path(row["strength"], row["cost"], path, shares, labels)


def check_ends(source: End, target: End, k: int) -> None:
    """Raise UsageError if k < 1 or the ends are not in the order of the layers."""
    if k < 1:
        raise UsageError(f"The number of paths is {k}. Ask for at least 1.")
    if source.layer >= target.layer:
        raise UsageError(
            f"No path leads from '{source.place}' to '{target.place}': the layer of the first must "
            "come before the layer of the second."
        )


def is_backwards(reader: Reader, source: End, target: End, layers: int) -> bool:
    """Return whether the walk goes from the target to the source, so that the last id tells first.

    It does from the whole first layer to what is not the whole last one, unless interactions skip
    layers.
    """
    if reader.skips or (target.layer == layers - 1 and target.place.index is None):
        return False
    return source.layer == 0 and source.place.index is None


def _by_stored_costs(
    reader: Reader, source: End, target: End, k: int, layers: int
) -> list[Record] | None:
    """Return the paths, or None where the costs that ingest stored do not lead there.

    They lead from or to a whole outermost layer. Features of it that are not important enough come
    back as well and are dropped here; more is asked for where that leaves less than k.
    """
    if is_backwards(reader, source, target, layers):
        start, stop, rest, tip = target, source, "cost_from_inputs", 0
    elif target.layer == layers - 1 and target.place.index is None:
        start, stop, rest, tip = source, target, "cost_to_outputs", -1
    else:
        return None
    ends = stop.ids(reader.run)
    for width in (k, k * WIDER) if k * WIDER <= WIDEST else (k,):
        rows = _walk(reader, start, stop, rest, width)
        kept = [row for row in rows if row["path"][tip] in ends]
        if len(kept) >= k or len(rows) < width:
            return kept[:k]
    return None


def _by_own_costs(reader: Reader, source: End, target: End, k: int) -> list[Record]:
    """Return the paths, after computing the least costs to `target` one layer at a time."""
    rest = {target.layer: dict.fromkeys(sorted(target.ids(reader.run)), 0.0)}
    for layer in range(target.layer, source.layer, -1):
        known = [{"id": feature, "cost": cost} for feature, cost in rest[layer].items()]
        rows = reader.rows(read_text("costs_to_target"), next=known)
        rest[layer - 1] = {row["id"]: row["cost"] for row in rows}
    return _walk(reader, source, target, rest, k)


def _walk(
    reader: Reader, start: End, stop: End, rest: str | Mapping[int, Mapping[str, float]], k: int
) -> list[Record]:
    """Walk from `start` to `stop`, in the columns where the store has them, else in Cypher.

    rest: the property with the least costs to `stop`, or these by layer and id.
    """
    backwards = start.layer > stop.layer
    layers = range(start.layer, stop.layer + (-1 if backwards else 1), -1 if backwards else 1)
    if isinstance(rest, str):
        names = [f"{'m' if i else 'n'}.{rest}" for i in range(len(layers))]
        costs: dict[str, Any] = {}
    else:
        names = [f"$rest_{layer}[{'m' if i else 'n'}.id]" for i, layer in enumerate(layers)]
        costs = {f"rest_{layer}": rest[layer] for layer in layers}
    text = walk_text(names, "backwards" if backwards else "forwards")
    parameters = {**_start(start), "k": k, **costs}
    columns = reader.columns()
    if columns is None:
        try:
            return reader.rows(text, **parameters)
        except TransactionTooLargeError as error:
            raise TransactionTooLargeError(
                f"{k:,} paths are too many for the server at once. Ask for fewer. {error}"
            ) from error
    from queries.columnar.walking import strongest_paths

    reader.remember(text, parameters)
    features = columns.features
    if isinstance(rest, str):
        least = [features[rest].to_numpy(dtype=float)] * len(layers)
    else:
        least = [features["id"].map(rest[layer]).to_numpy(dtype=float) for layer in layers]
    begins = features["index"].isin(start.indices).to_numpy()
    return strongest_paths(columns, layers, least, begins, k)


def _start(end: End) -> Mapping[str, Any]:
    return {
        "start_layer": end.layer,
        "start_index": end.place.index,
        "start_floor": end.floor,
    }


def walk_text(rest: list[str], direction: Literal["forwards", "backwards"]) -> str:
    """Return the statement that walks `len(rest) - 1` layers.

    rest: for each layer on the way, the expression for the least cost from its feature (`n` in the
    first, `m` in the others) to the other end.

    >>> text = walk_text(["n.cost_to_outputs", "m.cost_to_outputs"], "forwards")
    >>> text.count("MATCH (n)-[r:INTERACTS]->(m:Feature)")
    1
    """
    step = read_text(f"strongest_paths/step_{direction}")
    parts = [read_text("strongest_paths/start").replace("{rest}", rest[0])]
    parts += [step.replace("{rest}", expression) for expression in rest[1:]]
    return "".join([*parts, read_text(f"strongest_paths/end_{direction}")])
