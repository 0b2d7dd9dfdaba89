"""lib-graph's own files: the bases.safetensors of a run, and what is written like it."""

from __future__ import annotations

from lib_graph.dictionaries.bases_file import read_bases
from lib_graph.dictionaries.files import Files
from lib_graph.dictionaries.found import Found
from lib_graph.dictionaries.transcoders_file import read_transcoders
from lib_graph.method.dictionary import Basis, Dictionary
from lib_graph.method.transcoder import Transcoder

__all__ = ["NAME", "read"]

NAME, FORM = "lib-graph", "lib-graph"


def read(files: Files) -> list[Found] | None:
    """Return the bases and dictionaries of a run, or of a file; None if it is none.

    Raises RunError if it is damaged or does not fit together.
    """
    path = files.path("bases.safetensors") or files.weights()
    if path is None or path.suffix != ".safetensors":
        return None
    if not any(name.endswith((".rotation", ".encoder")) for name in files.names(path)):
        return None
    held: dict[str, Basis | Transcoder] = {**read_bases(path), **read_transcoders(path)}
    return [Found(path, FORM, _kind(each), each, layer) for layer, each in held.items()]


def _kind(held: Basis | Transcoder) -> str:
    if isinstance(held, Transcoder):
        return f"{held.activation} transcoder"
    return held.activation if isinstance(held, Dictionary) else "basis"
