"""Cross-layer transcoders, whose features write to the layers of others (docs/method.md §17)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lib_graph.building.stand_ins import stand_ins_of
from lib_graph.dictionaries import own
from lib_graph.dictionaries.found import Found
from lib_graph.errors import UsageError
from lib_graph.method.dictionary import Basis
from lib_graph.method.transcoder import Transcoder

__all__ = ["aligned"]

BLOCK = re.compile(r"(?:blocks|layers|h)\.(\d+)\.")


def aligned(found: Mapping[str, Found], layers: Sequence[str]) -> dict[str, Transcoder]:
    """Return the transcoders among what was read, in the order of the layers.

    Decoder t of each writes to the output of the t-th layer behind its own, of those that have one;
    what it writes to blocks of the network without is left out, as these stay what they are.

    Raises UsageError where cross-layer transcoders stand beside others, do not say which blocks
    they are of, are not in the blocks' order, or have another layer between them.
    """
    held = stand_ins_of(found)
    names = [layer for layer in layers if layer in held]
    if all(each.decoders.shape[1] == 1 for each in held.values()):
        return {name: held[name] for name in names}
    _check_between(names, layers)
    numbers = _numbers({name: found[name] for name in names})
    across: dict[str, Transcoder] = {}
    for i, name in enumerate(names):
        reach = held[name].decoders.shape[1]
        kept = [n - numbers[i] for n in numbers[i:] if n - numbers[i] < reach]
        across[name] = replace(held[name], decoders=held[name].decoders[:, kept])
    return across


def _check_between(names: Sequence[str], layers: Sequence[str]) -> None:
    """Raise UsageError for a layer between, where carried features would be mixed with the rest."""
    first, last = layers.index(names[0]), layers.index(names[-1])
    if others := [layer for layer in layers[first:last] if layer not in names]:
        raise UsageError(
            f"Layer {others[0]!r} lies between {names[0]!r} and {names[-1]!r}, whose cross-layer "
            "transcoders hand their features on from one to the next. Leave it out (--layers)."
        )


def _numbers(found: Mapping[str, Found]) -> list[int]:
    """Return the blocks that transcoders are of; where they are a run's, their places in it."""
    forms = {each.form for each in found.values()}
    if len(forms) > 1:
        raise UsageError(
            f"Cross-layer transcoders stand beside others ({' and '.join(sorted(forms))}), which "
            "they do not write to. Give those of one folder."
        )
    if forms == {own.FORM}:
        numbers = _places([each.holds for each in found.values()])
    else:
        blocks = [BLOCK.search(each.hook or "") for each in found.values()]
        numbers = [int(block[1]) for block in blocks if block is not None]
    if len(numbers) < len(found) or numbers != sorted(set(numbers)):
        said = ", ".join(f"{layer!r} of {each.hook}" for layer, each in found.items())
        raise UsageError(
            f"Cross-layer transcoders write to the blocks behind their own, and here are {said}. "
            "Name layers in the order of their blocks, with none left out of those of a run."
        )
    return numbers


def _places(held: Sequence[Basis | Transcoder]) -> list[int]:
    """Return 0, 1, …, or nothing where one writes to more layers than follow it."""
    reach = [each.decoders.shape[1] for each in held if isinstance(each, Transcoder)]
    fit = all(each <= len(reach) - i for i, each in enumerate(reach))
    return list(range(len(reach))) if fit else []
