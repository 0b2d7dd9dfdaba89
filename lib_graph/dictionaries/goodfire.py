"""Goodfire: a .pt or .pth with encoder_linear and decoder_linear."""

from __future__ import annotations

import re

from lib_graph.dictionaries.files import Files
from lib_graph.dictionaries.found import Found
from lib_graph.dictionaries.parts import dictionary, matrix, vector

__all__ = ["NAME", "read"]

NAME, FORM = "goodfire", "Goodfire"
LAYER = re.compile(r"-l(\d+)\b")


def read(files: Files) -> list[Found] | None:
    """Return the dictionary of one of Goodfire's files; None if it is none.

    Raises RunError if it is damaged or does not fit together.
    """
    path = files.weights()
    if path is None or "encoder_linear.weight" not in files.names(path):
        return None
    tensors = files.tensors(path)
    held = dictionary(
        path, FORM, matrix(tensors, "encoder_linear.weight", path, FORM).T,
        vector(tensors, "encoder_linear.bias", path, FORM),
        matrix(tensors, "decoder_linear.weight", path, FORM).T,
        vector(tensors, "decoder_linear.bias", path, FORM), "relu",
    )  # fmt: skip
    layer = LAYER.search(path.stem)
    return [
        Found(path, FORM, "relu", held, f"blocks.{layer[1]}.hook_resid_post" if layer else None)
    ]
