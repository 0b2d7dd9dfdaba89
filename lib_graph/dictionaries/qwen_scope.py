"""Qwen-Scope: layerN.sae.pt, with W_enc r × d, W_dec d × r, and k in the repository's name."""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from lib_graph.dictionaries.files import Files
from lib_graph.dictionaries.found import Found
from lib_graph.dictionaries.parts import dictionary, matrix, vector
from lib_graph.errors import UsageError

__all__ = ["NAME", "read"]

NAME, FORM = "qwen-scope", "Qwen-Scope"
PARTS = {"W_enc", "W_dec", "b_enc", "b_dec"}
LAYER, K = re.compile(r"layer(\d+)\.sae\.pt"), re.compile(r"-L0_(\d+)")


def read(files: Files) -> list[Found] | None:
    """Return the dictionaries of a file or folder, one for each layer; None if there are none.

    Raises RunError if a file is damaged or does not fit together, UsageError where nothing says k.
    """
    paths = sorted(files.folder.iterdir()) if files.place.is_dir() else [files.place]
    found = [path for path in paths if LAYER.fullmatch(path.name) and path.is_file()]
    if not found and files.settings.get("format") == NAME:
        found = [path for path in [files.weights()] if path is not None]
    found = [path for path in found if files.names(path) == PARTS]
    return [_found(files, path) for path in found] or None


def _found(files: Files, path: Path) -> Found:
    tensors = files.tensors(path)
    bias = vector(tensors, "b_enc", path, FORM)
    encoder = matrix(tensors, "W_enc", path, FORM)
    if encoder.shape[0] != len(bias):
        raise UsageError(
            f"{str(path)!r} is named as {FORM} is, but W_enc is {tuple(encoder.shape)}, not "
            f"features × coordinates: b_enc has {len(bias)}."
        )
    held = dictionary(
        path, FORM, encoder.T, bias, matrix(tensors, "W_dec", path, FORM).T,
        vector(tensors, "b_dec", path, FORM), "topk", k=_k(files, path, bias),
    )  # fmt: skip
    layer = LAYER.fullmatch(path.name)
    hook = f"blocks.{layer[1]}.hook_resid_post" if layer else None
    return Found(path, FORM, f"topk, k {held.k}", held, hook)


def _k(files: Files, path: Path, bias: Tensor) -> float:
    given = files.number("k")
    named = K.search(str(path.absolute().parent))
    if given is None and named is None:
        raise UsageError(
            f"{str(path)!r} is {FORM}, whose files do not say how many of the {len(bias)} features "
            f"are active. Say it: --format {NAME},k=NUMBER."
        )
    return given if given is not None else float(named[1])  # type: ignore[index]
