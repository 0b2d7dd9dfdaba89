"""Places in a run: a layer, or one feature of it, as a person writes them.

output                       a whole layer
output/5                     feature 5 of the layer 'output'
0123456789ab/output/5        the same, by its id
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lib_graph.errors import NotFoundError, UsageError

__all__ = ["ADVICE", "Place", "StoredLayer", "find_layer", "find_place"]

ADVICE = "List them with 'lib-graph features'."


@dataclass(frozen=True)
class StoredLayer:
    """A layer of a run as the store has it. `features` leaves the constant feature out."""

    index: int
    name: str
    width: int
    features: int


@dataclass(frozen=True)
class Place:
    """A layer as a whole (`index` None) or one feature of it."""

    layer: StoredLayer
    index: int | None = None

    def __str__(self) -> str:
        return self.layer.name if self.index is None else f"{self.layer.name}/{self.index}"


def find_layer(name: str, layers: Sequence[StoredLayer]) -> StoredLayer:
    """Return the layer called `name`; raise NotFoundError with the closest name."""
    for layer in layers:
        if layer.name == name:
            return layer
    raise NotFoundError("layer", name, [layer.name for layer in layers], ADVICE)


def find_place(text: str, layers: Sequence[StoredLayer], run: str) -> Place:
    """Return the place that `text` names in the run with id `run`.

    Raises NotFoundError if there is no such layer, UsageError if
    the text can be read in two ways; whether the feature exists is not looked up.

    >>> layers = [StoredLayer(0, "mlp/in", 4, 3), StoredLayer(1, "out", 2, 2)]
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
