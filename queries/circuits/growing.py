"""Grow a circuit path by path, by what flows."""

from __future__ import annotations

from typing import Any

from lib_graph.errors import UsageError
from queries.asking.ends import End
from queries.asking.reader import Reader
from queries.circuits.between import Between, feature_ids, read_between
from queries.circuits.circuit import Circuit, circuit_from_pairs
from queries.circuits.detours import Growth

__all__ = ["grow_circuit"]


def grow_circuit(reader: Reader, source: End, target: End, *, size: int) -> Circuit:
    """Return the circuit of `size` interactions that grows from `source` to `target`.

    It begins with a path, and then takes in detours, runs of interactions that leave it and come
    back: always the one with the largest gain of those that fit, docs/method.md §6. So it is a
    union of whole paths at any size. Where it cannot have as many interactions as asked for,
    `query["shortfall"]` of the circuit says why.

    Raises UsageError if the ends are in the wrong order, or if `size` is less than a single path
    has.
    """
    if source.layer >= target.layer:
        raise UsageError(
            f"No circuit leads from '{source.place}' to '{target.place}': the layer of the first "
            "must come before the layer of the second."
        )
    ground = read_between(reader, source, target)
    least = Growth(ground).shortest() or 1
    if size < least:
        raise UsageError(
            f"The size is {size}. Ask for at least {least}: so many interactions has a path from "
            f"'{source.place}' to '{target.place}'."
        )
    query: dict[str, Any] = {"source": str(source.place), "target": str(target.place), "size": size}
    pairs, more = _grown(ground, size)
    if len(pairs) < size:
        ends = f"from '{source.place}' to '{target.place}'"
        query["shortfall"] = _shortfall(ends, size, len(pairs), len(ground), more)
    ids = feature_ids(reader, ground)
    named = [(ids[start], ids[end]) for start, end in pairs]
    return circuit_from_pairs(reader, query, named)


def _grown(ground: Between, size: int) -> tuple[list[tuple[int, int]], int | None]:
    """Return source and target of all interactions of a circuit that grew to `size`.

    And how many more at least it could have taken in next; None where it has all there are.
    """
    growth = Growth(ground)
    if len(ground) <= size:
        growth.kept[:] = True
    else:
        while detour := growth.best(size - len(growth)):
            growth.add(detour)
    more = growth.shortest() if len(growth) < min(size, len(ground)) else None
    ends = ground.source[growth.kept].tolist(), ground.target[growth.kept].tolist()
    return list(zip(*ends, strict=True)), more


def _shortfall(ends: str, size: int, found: int, everything: int, more: int | None) -> str:
    asked = f"{size:,} interactions were asked for"
    if not found:
        return f"{asked}, but no path leads {ends}."
    if more is None:
        return f"{asked}; all paths {ends} together have these {found:,}."
    return (
        f"{asked}; these are {found:,}, to which the next path would add {more:,}. All paths "
        f"{ends} together have {everything:,}."
    )
