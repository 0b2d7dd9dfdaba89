"""lib-graph's own files: the bases.safetensors of a run, and what is written like it."""

from __future__ import annotations

from lib_graph.dictionaries.bases_file import read_bases
from lib_graph.dictionaries.files import Files
from lib_graph.dictionaries.found import Found
from lib_graph.method.dictionary import Dictionary

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
    return [
        Found(
            path, FORM, basis.activation if isinstance(basis, Dictionary) else "basis", basis, layer
        )
        for layer, basis in read_bases(path).items()
    ]
