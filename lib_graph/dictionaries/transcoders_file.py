"""The transcoders of a run, which stand in for parts of its network, in its bases.safetensors.

Beside the bases, LAYER.transcoder_encoder, ….  The metadata says LAYER.transcoder_activation, and
LAYER.transcoder_k where features compete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from lib_graph.method.transcoder import Transcoder

__all__ = ["as_tensors", "read_transcoders"]

MARK = "transcoder_"


def as_tensors(stand_ins: Mapping[str, Transcoder]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and words that are written of transcoders, by layer."""
    tensors: dict[str, Tensor] = {}
    words: dict[str, str] = {}
    for layer, each in stand_ins.items():
        for name, value in vars(each).items():
            if isinstance(value, Tensor):
                tensors[f"{layer}.{MARK}{name}"] = value.double().contiguous()
            elif value is not None:
                words[f"{layer}.{MARK}{name}"] = str(value)
    return tensors, words


def read_transcoders(path: Path) -> dict[str, Transcoder]:
    """Return the transcoders of a run's bases, by layer: those that `as_tensors` was given."""
    with safe_open(path, framework="pt") as file:
        words = file.metadata() or {}
        names = [name for name in file.keys() if f".{MARK}" in name]  # noqa: SIM118
        tensors = {name: file.get_tensor(name) for name in names}
    found: dict[str, Transcoder] = {}
    for layer in dict.fromkeys(name.rpartition(f".{MARK}")[0] for name in names):
        each = (field.name for field in fields(Transcoder))
        named = {name: f"{layer}.{MARK}{name}" for name in each}
        values: dict[str, Any] = {
            name: tensors.get(key, words.get(key)) for name, key in named.items()
        }
        k = values.pop("k")
        found[layer] = Transcoder(**values, k=None if k is None else int(k))
    return found
