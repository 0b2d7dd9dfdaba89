"""The transcoders of a run, which stand in for parts of its network, in its bases.safetensors.

Beside the bases, LAYER.transcoder_encoder, …. The metadata says LAYER.transcoder_activation,
LAYER.transcoder_k where features compete, and LAYER.transcoder_place of cross-layer ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from lib_graph.dictionaries.parts import above, matrix, transcoder, vector, whole
from lib_graph.errors import RunError
from lib_graph.method.activation import ACTIVATIONS
from lib_graph.method.transcoder import Transcoder

__all__ = ["as_tensors", "read_transcoders"]

MARK, FORM = "transcoder_", "lib-graph"


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
    """Return the transcoders of a run's bases, by layer: those that `as_tensors` was given.

    Raises RunError if the file cannot be read, or its parts do not fit together.
    """
    try:
        with safe_open(path, framework="pt") as file:
            words = file.metadata() or {}
            names = [name for name in file.keys() if f".{MARK}" in name]  # noqa: SIM118
            tensors = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise RunError(f"{str(path)!r} cannot be read as bases ({error}).") from error
    layers = dict.fromkeys(name.rpartition(f".{MARK}")[0] for name in names)
    return {layer: _transcoder(path, f"{layer}.{MARK}", tensors, words) for layer in layers}


def _transcoder(
    path: Path, start: str, tensors: Mapping[str, Tensor], words: Mapping[str, str]
) -> Transcoder:
    activation = words.get(f"{start}activation")
    threshold = tensors.get(f"{start}threshold")
    if activation not in ACTIVATIONS or (threshold is not None) != (activation == "jumprelu"):
        beside = "" if threshold is None else ", beside a threshold"
        raise RunError(f"{str(path)!r} has {activation!r} as {start}activation{beside}.")
    encoder = matrix(tensors, f"{start}encoder", path, FORM)
    if threshold is not None:
        threshold = whole(tensors, f"{start}threshold", path, FORM)
        above(threshold, encoder.shape[1], path, FORM)
    skip = matrix(tensors, f"{start}skip", path, FORM) if f"{start}skip" in tensors else None
    return transcoder(
        path, FORM, encoder, vector(tensors, f"{start}encoder_bias", path, FORM),
        whole(tensors, f"{start}decoders", path, FORM),
        vector(tensors, f"{start}decoder_bias", path, FORM), activation,
        threshold=threshold, k=_number(words, f"{start}k"), skip=skip,
        place=_number(words, f"{start}place"),
    )  # fmt: skip


def _number(words: Mapping[str, str], name: str) -> int | None:
    word = words.get(name, "")
    return int(word) if word.isdecimal() and len(word) < 10 else None
