"""What a run is made from, and the run id that names it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict

import torch
from torch import Tensor

from lib_graph.building.options import Options
from lib_graph.method.basis import RawBasis
from lib_graph.method.dictionary import Basis
from lib_graph.method.transcoder import Transcoder
from lib_graph.run.kept import Origin
from lib_graph.support.files import json_sha256

__all__ = ["origin_of", "run_id", "tensors_sha256"]


def tensors_sha256(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Return the SHA-256 of named tensors: names, types, shapes and values.

    >>> one, two = torch.ones(2), torch.ones(1, 2)
    >>> tensors_sha256([("x", one)]) == tensors_sha256([("x", two)])
    False
    """
    digest = hashlib.sha256()
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        values = tensor.detach().cpu().reshape(-1)
        if values.stride(0) != 1:  # also a single number, which always counts as contiguous
            values = values.clone(memory_format=torch.contiguous_format)
        digest.update(values.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def origin_of(
    model: str,
    data: str,
    layers: Mapping[str, str],
    biases: Iterable[str],
    options: Options,
    computed: str | None = None,
    bases: Mapping[str, Basis] | None = None,
    stand_ins: Mapping[str, Transcoder] | None = None,
) -> Origin:
    """Return all that the numbers of a run follow from; its hash gives the run id.

    `model` and `data` are hashes; `computed` says how bases are found that are not given, `bases`
    are those that are, and `stand_ins` the transcoders by layer, of which the numbers count.
    Memory is left out, which changes no number beyond rounding, and what changes none: a seed
    that none follows from, and the precision of products where it is the usual one.
    """
    origin = asdict(options) | {
        "model": model,
        "data": data,
        "layers": [[name, point] for name, point in layers.items()],
        "biases": sorted(biases),
        "basis": computed or "given",
        "bases": _sha256(bases) if bases else None,
    }
    if stand_ins:
        origin["transcoders"] = _sha256(stand_ins)
    del origin["memory"], origin["format"]
    if not options.tf32:
        del origin["tf32"]
    if computed != "random":
        del origin["seed"]
    return origin


def _sha256(given: Mapping[str, Basis] | Mapping[str, Transcoder]) -> str:
    """Return the SHA-256 of given bases or transcoders: what they are, and all their numbers."""
    tensors, words = [], []
    for layer, each in given.items():
        values = {} if isinstance(each, RawBasis) else vars(each)
        tensors += [(f"{layer}.{key}", x) for key, x in values.items() if isinstance(x, Tensor)]
        words += [[layer, key, x] for key, x in values.items() if isinstance(x, str | int)]
    return json_sha256([tensors_sha256(tensors), words])


def run_id(origin: Origin) -> str:
    """Return the 12 hex digits that name a run."""
    return json_sha256(origin)[:12]
