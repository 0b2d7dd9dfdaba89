"""Which layer of a network each dictionary is of, and what it is there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lib_graph.dictionaries.found import Found
from lib_graph.dictionaries.hooks import Hooks
from lib_graph.dictionaries.registry import read_dictionaries
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.method.dictionary import Basis, Dictionary
from lib_graph.method.transcoder import Transcoder

__all__ = ["Wanted", "by_layer", "read_wanted", "wanted_of"]

BEHIND_NORM = re.compile(r"hook_normalized$|\b(?:mlp|attn)\.hook_in$")
BEFORE_ATTENTION = ("hook_resid_pre", "hook_resid_post")


@dataclass(frozen=True)
class Wanted:
    """A place that bases are to be taken from, and the layer that they are said to be of."""

    place: Path
    layer: str | None = None


def wanted_of(text: str | Path) -> Wanted:
    """Return what PLACE or LAYER=PLACE asks for; a place that is there may have a = in its name.

    Raises UsageError where one of the two is empty.

    >>> wanted_of("ln1.2=my-sae")
    Wanted(place=PosixPath('my-sae'), layer='ln1.2')
    """
    if isinstance(text, Path) or Path(text).exists():
        return Wanted(Path(text))
    layer, equals, place = text.partition("=")
    if equals and not (layer and place):
        raise UsageError(f"Basis {text!r} is incomplete. Write LAYER=PLACE.")
    return Wanted(Path(place), layer) if equals else Wanted(Path(text))


def read_wanted(asked: Sequence[Wanted], format: str | None) -> list[tuple[Wanted, list[Found]]]:
    """Return what each place holds. Raises what `read_dictionaries` does."""
    return [(each, read_dictionaries(each.place, format)) for each in asked]


def by_layer(
    read: Sequence[tuple[Wanted, Sequence[Found]]], layers: Mapping[str, str], hooks: Hooks
) -> dict[str, Found]:
    """Return what was read by the layers of a network, names and points.

    What was asked for as LAYER=PLACE goes there; else the file's own name of its point decides, in
    the words of TransformerLens, of a module's path or of the layers. Of a place with several, only
    those of the network's layers are taken.

    Raises NotFoundError for a layer that is none, UsageError where a place holds nothing of a
    layer, or several that would do, and for what cannot be undone.
    """
    chosen: dict[str, Found] = {}
    for asked, found in read:
        if asked.layer is not None and asked.layer not in layers:
            raise NotFoundError("layer", asked.layer, layers, f"It was to have {asked.place}.")
        here = _placed(asked, found, layers, hooks)
        for layer, each in here:
            if layer in chosen:
                raise UsageError(
                    f"Layer {layer!r} has two bases: {str(chosen[layer].file)!r} and "
                    f"{str(each.file)!r}. Name one of them: --basis {layer}=PLACE."
                )
            chosen[layer] = _usable(each, layer, layers, hooks)
    return chosen


def _placed(
    asked: Wanted, found: Sequence[Found], layers: Mapping[str, str], hooks: Hooks
) -> list[tuple[str, Found]]:
    """Return what goes to a layer, with the layer."""
    named = [(_layer(each, layers, hooks), each) for each in found]
    if asked.layer is not None:
        if len(found) == 1:
            return [(asked.layer, found[0])]
        placed = [(layer, each) for layer, each in named if layer == asked.layer]
        what = f"of layer {asked.layer!r}"
    else:
        placed = [(layer, each) for layer, each in named if layer is not None]
        what = "of a layer of the network"
    if not placed:
        hook = found[0].hook
        said = "names no point" if hook is None else f"is of {hook}"
        raise UsageError(
            f"{str(asked.place)!r} holds nothing {what}: {found[0].file.name} {said}. The layers "
            f"are {', '.join(layers)}. Say which: --basis LAYER=PLACE."
        )
    return placed


def _layer(found: Found, layers: Mapping[str, str], hooks: Hooks) -> str | None:
    """Return the layer that something is of, by its own name of the point."""
    if found.hook is None:
        return None
    if found.hook in layers:
        return found.hook
    points = hooks.points(found.hook)
    return next((layer for layer, point in layers.items() if point in points), None)


def _usable(found: Found, layer: str, layers: Mapping[str, str], hooks: Hooks) -> Found:
    """Return what was found with what TransformerLens folds undone."""
    if found.hook is not None and found.hook.endswith("hook_normalized"):
        raise UsageError(
            f"{str(found.file)!r} is of {found.hook}, where TransformerLens has folded the norm's "
            "weights away. No layer is that; give a dictionary of the residual stream."
        )
    if found.folded and found.hook is not None and BEHIND_NORM.search(found.hook):
        raise UsageError(
            f"{str(found.file)!r} ({found.form}) is of {found.hook} in a model whose norms "
            "TransformerLens had folded into what follows them (fold_ln): no point of this network "
            "is that. Give one that was made without."
        )
    if isinstance(found.holds, Transcoder):
        return _reading_there(found, layer, layers, hooks)
    if not found.centred or (found.hook is not None and found.hook.endswith("hook_z")):
        return found
    if hooks.centred is None:
        raise UsageError(
            f"{str(found.file)!r} ({found.form}) was made with TransformerLens, which centres what "
            "writes to the residual stream where norms do, and it is not known whether those of "
            "this network do. Build the network as a language model, by its folder."
        )
    return _centred(found, found.holds) if hooks.centred else replace(found, centred=False)


def _reading_there(found: Found, layer: str, layers: Mapping[str, str], hooks: Hooks) -> Found:
    """Return a transcoder of a layer. Raises UsageError for one that reads another point.

    What TransformerLens centres is no matter: what it reads is behind a norm that centres, and the
    mean that it does not write is left to its error.
    """
    if found.hook is None or found.hook in layers or found.hook not in hooks.names:
        return found
    points = hooks.points(found.hook)
    if layers[layer] not in points:
        cut = "mlp" if found.hook.endswith("mlp.hook_in") else "block"
        raise UsageError(
            f"{str(found.file)!r} is {found.kind} that reads {found.hook}, and layer {layer!r} is "
            f"at {layers[layer]}. A transcoder stands in for the part whose input it reads: cut "
            f"there, with --layers NAME={points[0]} or, of a language model, --granularity {cut}."
        )
    if found.hook.endswith(BEFORE_ATTENTION):
        raise UsageError(
            f"{str(found.file)!r} is {found.kind} that reads {found.hook}, the residual stream "
            "before attention, and so stands in for more than an MLP. Give one that reads "
            "hook_resid_mid or mlp.hook_in."
        )
    return found


def _centred(found: Found, basis: Basis | Transcoder) -> Found:
    """Return a dictionary of activations less their mean as one of the activations."""
    if not isinstance(basis, Dictionary):
        return found
    encoder = basis.encoder - basis.encoder.mean(0)
    note = "of activations less their mean over the coordinates, which is undone"
    return replace(found, holds=replace(basis, encoder=encoder), notes=(*found.notes, note))
