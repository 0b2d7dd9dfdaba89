"""e2e_sae: samples_N.pt, with the dictionaries of several points, beside final_config.yaml."""

from __future__ import annotations

import re
from pathlib import Path

from lib_graph.dictionaries.files import Files
from lib_graph.dictionaries.found import Found
from lib_graph.dictionaries.parts import dictionary, matrix, vector

__all__ = ["NAME", "read"]

NAME, FORM = "e2e-sae", "e2e_sae"
FIRST = ".encoder.0.weight"
SAMPLES = re.compile(r"samples_(\d+)\.pt")


def read(files: Files) -> list[Found] | None:
    """Return the dictionaries of a checkpoint, of a folder's the last; None if it is none.

    Raises RunError if it is damaged or does not fit together.
    """
    path = _last(files)
    if path is None or path.suffix != ".pt":
        return None
    points = [name.removesuffix(FIRST) for name in files.names(path) if name.endswith(FIRST)]
    return [_found(files, path, point) for point in sorted(points)] or None


def _last(files: Files) -> Path | None:
    if not files.place.is_dir():
        return files.place
    found = {int(n[1]): p for p in files.folder.iterdir() if (n := SAMPLES.fullmatch(p.name))}
    return found[max(found)] if found else files.weights()


def _found(files: Files, path: Path, point: str) -> Found:
    tensors = files.tensors(path)
    decoder = matrix(tensors, f"{point}.decoder.weight", path, FORM).T
    held = dictionary(
        path, FORM, matrix(tensors, f"{point}{FIRST}", path, FORM).T,
        vector(tensors, f"{point}.encoder.0.bias", path, FORM),
        decoder / decoder.norm(dim=1, keepdim=True).clamp_min(1e-12),
        vector(tensors, f"{point}.decoder.bias", path, FORM), "relu",
    )  # fmt: skip
    notes = ("rows of the decoder brought to length 1",)
    return Found(
        path, FORM, "relu", held, point.replace("-", "."), notes, centred=True, folded=True
    )
