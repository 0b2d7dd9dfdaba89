"""Places in a run: a layer, or one feature of it, as a person writes them.

output                       a whole layer
output/5                     feature 5 of the layer 'output'
0123456789ab/output/5        the same, by its id
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lib_graph.errors import NotFoundError, UsageError
from queries.asking.statements import Reader, read_text

__all__ = ["End", "Layer", "Place", "find_end", "find_layer", "find_place"]

ADVICE = "List them with 'lib-graph features'."


@dataclass(frozen=True)
class Layer:
    """A layer of a run as the store has it. `features` leaves the constant feature out."""

    index: int
    name: str
    width: int
    features: int


@dataclass(frozen=True)
class Place:
    """A layer as a whole (`index` None) or one feature of it."""

    layer: Layer
    index: int | None = None

    def __str__(self) -> str:
        return self.layer.name if self.index is None else f"{self.layer.name}/{self.index}"


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


def find_layer(name: str, layers: Sequence[Layer]) -> Layer:
    """Return the layer called `name`; raise NotFoundError with the closest name."""
    for layer in layers:
        if layer.name == name:
            return layer
    raise NotFoundError("layer", name, [layer.name for layer in layers], ADVICE)


def find_place(text: str, layers: Sequence[Layer], run: str) -> Place:
    """Return the place that `text` names in the run with id `run`.

    Raises NotFoundError if there is no such layer, UsageError if
    the text can be read in two ways; whether the feature exists is not looked up.

    >>> layers = [Layer(0, "mlp/in", 4, 3), Layer(1, "out", 2, 2)]
    >>> str(find_place("mlp/in/2", layers, "0123456789ab")), str(find_place("out", layers, "01"))
    ('mlp/in/2', 'out')
    """
    names = {layer.name: layer for layer in layers}
    is_id = text.startswith(f"{run}/")
    rest = text[len(run) + 1 :] if is_id else text
    name, _, index = rest.rpartition("/")
    is_feature = name in names and index.isdecimal()
    if is_feature and rest in names and not is_id:
        raise UsageError(
            f"{text!r} is a layer, and also feature {index} of the layer {name!r}. "
            f"Write '{run}/{text}' for the feature, '{text}/INDEX' for a feature of the layer."
        )
    if is_feature:
        return Place(names[name], int(index))
    if rest in names:
        return Place(names[rest])
    return Place(find_layer(name if name and index.isdecimal() else rest, layers))


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
