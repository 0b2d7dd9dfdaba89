"""The kinds of values that named queries take, as a person gives them and as Cypher gets them.

count      a whole number from 1          number   any number       a | b   one of these words
index      a whole number from 0          share    from 0 to 1
layer      the name of a layer            feature  LAYER/INDEX      run     id, its beginning, name
"""

from __future__ import annotations

import math
from typing import Any

from lib_graph.errors import NotFoundError, UsageError
from queries.asking.places import find_layer
from queries.asking.reader import Reader
from queries.asking.runs import choose_run, list_runs
from queries.asking.statements import read_text

__all__ = ["NUMBERS", "read_parameter"]

LEAST = {"count": 1, "index": 0}
NUMBERS = (*LEAST, "number", "share")  # the kinds whose values are no text


def read_parameter(reader: Reader, name: str, kind: str, value: Any) -> Any:
    """Return what a text gets for the value that a person gave; raise UsageError if it is none."""
    if kind in LEAST:
        if type(value) is not int or value < LEAST[kind]:
            raise _wrong(name, value, f"a whole number from {LEAST[kind]}")
        return value
    if kind in ("number", "share"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong(name, value, "a number")
        if not math.isfinite(value) or (kind == "share" and not 0 <= value <= 1):
            raise _wrong(name, value, "a number from 0 to 1" if kind == "share" else "a number")
        return float(value)
    if not isinstance(value, str):
        raise _wrong(name, value, "text")
    if kind == "layer":
        return find_layer(value, reader.layers).name
    if kind == "feature":
        return _feature(reader, name, value)
    if kind == "run":
        return choose_run(list_runs(reader.store), value).id
    words = kind.split(" | ")
    if value not in words:
        raise NotFoundError(name, value, words, f"Take one of {', '.join(words)}.")
    return value


def _feature(reader: Reader, name: str, value: str) -> str:
    """Return the id of a feature that is there."""
    place = reader.place(value)
    if place.index is None:
        raise _wrong(name, value, "a feature, LAYER/INDEX")
    rows = reader.again().rows(read_text("layer_features"), layer=place.layer.index)
    known = [f"{place.layer.name}/{row['index']}" for row in rows]
    if str(place) not in known:
        raise NotFoundError("feature", str(place), known, "List them with 'lib-graph features'.")
    return f"{reader.run}/{place}"


def _wrong(name: str, value: Any, wanted: str) -> UsageError:
    return UsageError(f"The parameter {name} is {value!r}. Give {wanted}.")
