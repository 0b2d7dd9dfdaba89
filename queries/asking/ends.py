"""The ends of paths: a feature, or the features of a layer that are important enough."""

from __future__ import annotations

from dataclasses import dataclass

from lib_graph.errors import NotFoundError, UsageError
from queries.asking.places import ADVICE, Place
from queries.asking.reader import Reader
from queries.asking.statements import read_text

__all__ = ["End", "find_end", "find_ends"]


@dataclass(frozen=True)
class End:
    """One end of a path: a feature, or those of a layer that are important enough.

    `floor` is the least importance that counts, None where every feature does. `indices` are the
    features that can end a path: never the constant one.
    """

    place: Place
    floor: float | None
    indices: frozenset[int]

    @property
    def layer(self) -> int:
        """The layer's number."""
        return self.place.layer.index

    def ids(self, run: str) -> set[str]:
        """Return the ids, in `run`, of the features that can end a path."""
        return {f"{run}/{self.place.layer.name}/{index}" for index in self.indices}


def find_end(reader: Reader, place: Place, min_importance: float) -> End:
    """Return which features of `place` can end a path.

    Of a whole layer: those with at least `min_importance` times the layer's largest importance,
    and every output of a raw layer. Raises NotFoundError for a feature that is not there and
    UsageError for a constant one.
    """
    rows = reader.rows(read_text("layer_features"), layer=place.layer.index)
    roles = {row["index"]: row["role"] for row in rows}
    if place.index is not None:
        if place.index not in roles:
            known = [f"{place.layer.name}/{index}" for index in roles]
            raise NotFoundError("feature", str(place), known, ADVICE)
        if roles[place.index] == "constant":
            raise UsageError(
                f"'{place}' is the constant feature, which is in no path. Take another feature."
            )
        return End(place, None, frozenset([place.index]))
    importance = {row["index"]: row["importance"] for row in rows if row["role"] != "constant"}
    known_importance = [x for x in importance.values() if x is not None]
    if not known_importance or "output" in roles.values():
        return End(place, None, frozenset(importance))
    floor = min_importance * max(known_importance)
    kept = [index for index, x in importance.items() if x is not None and x >= floor]
    return End(place, floor, frozenset(kept))


def find_ends(
    reader: Reader, source: str | None, target: str | None, min_importance: float
) -> tuple[End, End]:
    """Return where paths start and where they end: in the first and in the last layer unless said.

    Raises UsageError for an importance that is no part of 1, and what `Reader.place` and `find_end`
    raise.
    """
    if not 0 <= min_importance <= 1:
        raise UsageError(f"The least importance is {min_importance}. Give a number 0 to 1.")
    start = Place(reader.layers[0]) if source is None else reader.place(source)
    end = Place(reader.layers[-1]) if target is None else reader.place(target)
    return find_end(reader, start, min_importance), find_end(reader, end, min_importance)
