"""What a run is made from, and the run id that names it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lib_graph.building.bases_file import bases_made_from
from lib_graph.building.options import Options
from lib_graph.errors import ConflictError
from lib_graph.run.schema import DATA_FILES
from lib_graph.run.writing import made_from
from lib_graph.support.files import file_sha256, json_sha256

__all__ = ["Origin", "check_folder", "clear_folder", "origin_of", "tensors_sha256"]

Origin = Mapping[str, Any]
ADVICE = "Choose another --out, or --replace what is there."
FOUND_SINCE = ("examples.parquet", "ablation.parquet", "masks.parquet", "matches-*.parquet")


def tensors_sha256(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Return the SHA-256 of named tensors: names, types, shapes and values.

    >>> one, two = torch.ones(2), torch.ones(1, 2)
    >>> tensors_sha256([("x", one)]) == tensors_sha256([("x", two)])
    False
    """
    digest = hashlib.sha256()
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        values = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(values.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def origin_of(
    model: str, data: str, layers: Mapping[str, str], biases: Iterable[str], options: Options
) -> Origin:
    """Return all that the numbers of a run follow from; its hash gives the run id.

    `model` and `data` are hashes. Memory is left out: it changes no number beyond rounding.
    """
    origin = asdict(options) | {
        "model": model,
        "data": data,
        "layers": [[name, point] for name, point in layers.items()],
        "biases": sorted(biases),
        "basis": options.basis if options.bases_file is None else "given",
        "bases": None if options.bases_file is None else file_sha256(options.bases_file),
    }
    del origin["memory"]
    return origin


def run_id(origin: Origin) -> str:
    """Return the 12 hex digits that name a run."""
    return json_sha256(origin)[:12]


def check_folder(out: Path, origin: Origin) -> None:
    """Raise ConflictError if a folder holds stages of another build, naming what differs."""
    for name in DATA_FILES:
        path = out / name
        found = bases_made_from(path) if name.endswith("safetensors") else made_from(path)
        if found is None and path.exists():
            raise ConflictError(f"{str(path)!r} is damaged or no part of a run. {ADVICE}")
        if found is not None and found != origin:
            fields = [key for key in sorted({*found, *origin}) if found.get(key) != origin.get(key)]
            raise ConflictError(
                f"{str(out)!r} holds another run: it differs in {', '.join(fields)}. {ADVICE}"
            )


def clear_folder(out: Path) -> None:
    """Delete the run in a folder, and what was found of it since: nothing of it fits another."""
    for pattern in ("manifest.json", *DATA_FILES, *FOUND_SINCE):
        for path in out.glob(pattern):
            path.unlink()
