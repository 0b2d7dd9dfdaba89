"""Cross-layer transcoders, whose features write to the layers of others (docs/method.md §17)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lib_graph.building.stand_ins import stand_ins_of
from lib_graph.dictionaries.found import Found
from lib_graph.errors import UsageError
from lib_graph.method.transcoder import Transcoder

__all__ = ["aligned"]


def aligned(found: Mapping[str, Found], layers: Sequence[str]) -> dict[str, Transcoder]:
    """Return the transcoders among what was read, in the order of the layers.

    Decoder t of each writes to the output of the t-th layer behind its own, of those that have one;
    what it writes to blocks of the network without is left out, as these stay what they are.

    Raises UsageError where cross-layer transcoders stand beside others, are not in the order of
    their set, or have another layer between them.
    """
    held = stand_ins_of(found)
    names = [layer for layer in layers if layer in held]
    if all(each.decoders.shape[1] == 1 for each in held.values()):
        return {name: held[name] for name in names}
    _check_between(names, layers)
    places = _places({name: found[name] for name in names}, [held[name].place for name in names])
    across: dict[str, Transcoder] = {}
    for i, name in enumerate(names):
        decoders = held[name].decoders
        behind = [place - places[i] for place in places[i:]]
        written = [t for t in behind if t < decoders.shape[1]]
        across[name] = replace(held[name], decoders=decoders[:, written], place=i)
    return across


def _check_between(names: Sequence[str], layers: Sequence[str]) -> None:
    """Raise UsageError for a layer between, where carried features would be mixed with the rest."""
    first, last = layers.index(names[0]), layers.index(names[-1])
    if others := [layer for layer in layers[first:last] if layer not in names]:
        raise UsageError(
            f"Layer {others[0]!r} lies between {names[0]!r} and {names[-1]!r}, whose cross-layer "
            "transcoders hand their features on from one to the next. Leave it out (--layers)."
        )


def _places(found: Mapping[str, Found], said: Sequence[int | None]) -> list[int]:
    """Return the places of transcoders in their set, ascending as their layers are."""
    forms = sorted({each.form for each in found.values()})
    places = [place for place in said if place is not None]
    if len(forms) > 1 or len(places) < len(said):
        beside = f" ({' and '.join(forms)})" if len(forms) > 1 else ""
        raise UsageError(
            f"Cross-layer transcoders stand beside others{beside}, which they do not write to. "
            "Give those of one folder."
        )
    if places != sorted(set(places)):
        here = ", ".join(f"{layer!r} of {each.hook}" for layer, each in found.items())
        raise UsageError(
            f"Cross-layer transcoders write to the blocks behind their own, and here are {here}. "
            "Name layers in the order of their blocks."
        )
    return places
