"""circuit-tracer: config.yaml beside layer_i.safetensors, or beside W_enc_i and W_dec_i."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from lib_graph.dictionaries.files import Files
from lib_graph.dictionaries.found import Found
from lib_graph.dictionaries.parts import above, matrix, transcoder, vector, whole
from lib_graph.errors import NotFoundError, RunError

__all__ = ["NAME", "read"]

NAME, FORM = "circuit-tracer", "circuit-tracer"
LAYER = re.compile(r"(?:layer|W_enc)_(\d+)\.safetensors")
THRESHOLD = "activation_function.threshold"
ACTIVATIONS = {"relu": "relu", "topk": "signed-topk", "jump_relu": "jumprelu"}
HIGHEST = 10_000  # number of a layer


def read(files: Files) -> list[Found] | None:
    """Return the transcoders of a folder, a layer each, per layer or cross-layer; None if none.

    Raises RunError if its files are damaged, do not fit together, or leave out a layer, and
    NotFoundError for an activation of another name.
    """
    found = _layers(files)
    config = files.config("config.yaml") or {}
    if not found:
        return None
    numbers = sorted(found)
    if files.place.is_dir() and numbers != list(range(len(numbers))):
        missing = next(i for i in range(len(numbers) + 1) if i not in found)
        raise RunError(f"{str(files.place)!r} looks like {FORM}, but has no layer {missing}.")
    if found[numbers[0]].name.startswith("W_enc"):
        return [_cross_layer(files, found[i], i, config) for i in numbers]
    return [_per_layer(files, found[i], i, config) for i in numbers]


def _layers(files: Files) -> dict[int, Path]:
    """Return the files by their layers."""
    paths = sorted(files.folder.iterdir()) if files.place.is_dir() else [files.place]
    found: dict[int, Path] = {}
    for path in paths:
        name = LAYER.fullmatch(path.name)
        if name and len(name[1]) < 6 and int(name[1]) < HIGHEST and path.is_file():
            known = {"W_enc", "W_dec", "b_enc", "b_dec"}
            if path.name.startswith("W_enc") or files.names(path) >= known:
                found.setdefault(int(name[1]), path)
    return found


def _per_layer(files: Files, path: Path, layer: int, config: Mapping[str, Any]) -> Found:
    tensors = files.tensors(path)
    encoder = matrix(tensors, "W_enc", path, FORM).T
    skip = matrix(tensors, "W_skip", path, FORM).T if "W_skip" in tensors else None
    activation, threshold = str(config.get("activation") or "relu"), None
    if THRESHOLD in tensors:
        activation = "jump_relu"
        threshold = _thresholds(tensors, THRESHOLD, path, encoder.shape[1])
    if activation not in ACTIVATIONS:
        raise NotFoundError(f"activation of {FORM}", activation, ACTIVATIONS)
    ours = ACTIVATIONS[activation]
    held = transcoder(
        path, FORM, encoder, vector(tensors, "b_enc", path, FORM),
        matrix(tensors, "W_dec", path, FORM), vector(tensors, "b_dec", path, FORM), ours,
        threshold=threshold, k=config.get("k"), skip=skip,
    )  # fmt: skip
    kind = f"{ours} transcoder" + (" with a skip" if skip is not None else "")
    return Found(path, FORM, kind, held, *_points(config, layer, "mlp.hook_in"))


def _cross_layer(files: Files, path: Path, i: int, config: Mapping[str, Any]) -> Found:
    tensors = {**files.tensors(path)}
    beside = path.with_name(f"W_dec_{i}.safetensors")
    if not beside.is_file():
        raise RunError(f"{str(path)!r} looks like {FORM}, but {beside.name} is not beside it.")
    tensors.update(files.tensors(beside))
    encoder = matrix(tensors, f"W_enc_{i}", path, FORM).T
    threshold = None
    if f"threshold_{i}" in tensors:
        threshold = _thresholds(tensors, f"threshold_{i}", path, encoder.shape[1])
    decoder = whole(tensors, f"W_dec_{i}", beside, FORM)
    if decoder.ndim != 3:
        raise RunError(f"W_dec_{i} in {str(beside)!r} is {tuple(decoder.shape)}, of no layers.")
    skip = matrix(tensors, f"W_skip_{i}", path, FORM) if f"W_skip_{i}" in tensors else None
    held = transcoder(
        path, FORM, encoder, vector(tensors, f"b_enc_{i}", path, FORM), decoder,
        vector(tensors, f"b_dec_{i}", path, FORM), "relu" if threshold is None else "jumprelu",
        threshold=threshold, skip=skip, place=i,
    )  # fmt: skip
    kind = f"{held.activation} cross-layer transcoder"
    return Found(path, FORM, kind, held, *_points(config, i, "hook_resid_mid"))


def _thresholds(tensors: Mapping[str, Any], name: str, path: Path, features: int) -> Tensor:
    """Return thresholds, below 0 too: circuit-tracer takes no relu after them."""
    found = whole(tensors, name, path, FORM).flatten()
    above(found, features, path, FORM)
    return found.expand(features).clone()


def _points(config: Mapping[str, Any], layer: int, hook: str) -> tuple[str, tuple[str, ...]]:
    """Return where a layer's features are read, and a note of where they write."""
    read_at = config.get("feature_input_hook") or hook
    write_at = config.get("feature_output_hook") or "hook_mlp_out"
    return f"blocks.{layer}.{read_at}", (f"writes to blocks.{layer}.{write_at}",)
