"""Circuits that a person has put together: features, or interactions, one by one."""

from __future__ import annotations

from collections.abc import Sequence

from lib_graph.errors import NotFoundError, UsageError
from lib_graph.support.texts import counted
from queries.asking.places import ADVICE, Place
from queries.asking.reader import Reader
from queries.asking.statements import read_text
from queries.circuits.circuit import Circuit, circuit_from_pairs

__all__ = ["circuit_among", "circuit_of_named"]


def circuit_among(reader: Reader, features: Sequence[Place]) -> Circuit:
    """Return the circuit of all interactions among some features, constant ones left out.

    Raises UsageError if there is none, or for a place that is a layer, NotFoundError for a feature
    that is not there.
    """
    ids = sorted({_id(reader, place) for place in features})
    known = {row["id"] for row in reader.rows(read_text("features_by_id"), ids=ids)}
    for feature in ids:
        if feature not in known:
            raise NotFoundError("feature", feature, known, ADVICE)
    rows = reader.rows(read_text("interactions_among"), ids=ids)
    if not rows:
        raise UsageError(
            f"There is no interaction among {counted(len(ids), 'feature')}. Add some that interact."
        )
    pairs = [(row["source"], row["target"]) for row in rows]
    return circuit_from_pairs(reader, {"features": len(ids)}, pairs)


def circuit_of_named(reader: Reader, pairs: Sequence[tuple[Place, Place]]) -> Circuit:
    """Return the circuit of interactions that are named by their ends.

    Raises UsageError for a place that is a layer, NotFoundError for an interaction that is not
    there.
    """
    wanted = list(
        dict.fromkeys((_id(reader, source), _id(reader, target)) for source, target in pairs)
    )
    found = circuit_from_pairs(reader, {"interactions": len(wanted)}, wanted)
    missing = set(wanted) - set(found.pairs())
    if missing:
        source, target = min(missing)
        known = [f"{one}>{other}" for one, other in found.pairs()]
        raise NotFoundError("interaction", f"{source}>{target}", known, "It may be 0.")
    return found


def _id(reader: Reader, place: Place) -> str:
    if place.index is None:
        raise UsageError(f"'{place}' is a layer, and a circuit is of features: LAYER/INDEX.")
    return f"{reader.run}/{place}"
