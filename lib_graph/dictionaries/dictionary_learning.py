"""dictionary_learning: ae.pt (or ae_STEP.pt) beside config.json; also its classes' files alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lib_graph.dictionaries.files import Files
from lib_graph.dictionaries.found import Found
from lib_graph.dictionaries.parts import above, count, dictionary, gated, matrix, vector, whole
from lib_graph.errors import NotFoundError, RunError, UsageError
from lib_graph.method.dictionary import Dictionary

__all__ = ["NAME", "read"]

NAME, FORM = "dictionary-learning", "dictionary_learning"
LINEAR = {"encoder.weight", "decoder.weight"}
CLASSES = {
    "AutoEncoder": LINEAR | {"encoder.bias", "bias"},
    "AutoEncoderNew": LINEAR | {"encoder.bias", "decoder.bias"},
    "GatedAutoEncoder": LINEAR | {"decoder_bias", "r_mag", "gate_bias", "mag_bias"},
    "JumpReluAutoEncoder": {"W_enc", "b_enc", "W_dec", "b_dec", "threshold"},
    "MatryoshkaBatchTopKSAE": {"W_enc", "b_enc", "W_dec", "b_dec", "threshold", "group_sizes"},
    "AutoEncoderTopK": LINEAR | {"encoder.bias", "b_dec"},
    "BatchTopKSAE": LINEAR | {"encoder.bias", "b_dec", "threshold"},
}
"""class -> the tensors that it needs; the last two have the same"""

POINT = re.compile(r"(resid_pre|resid_mid|resid_post|mlp_out|attn_out)_layer_(\d+)")


def read(files: Files) -> list[Found] | None:
    """Return the dictionary in an ae.pt; None if it is none.

    Raises RunError if it is damaged or does not fit together, UsageError where nothing says of
    which class it is.
    """
    path = files.path("ae.pt") or files.weights()
    if path is None or path.suffix != ".pt":
        return None
    tensors = files.tensors(path)
    config = files.config("config.json")
    if config is None and path.parent.name == "checkpoints":
        config = Files(path.parent.parent).config("config.json")
    config = config or {}
    trainer = config.get("trainer")
    trainer = trainer if isinstance(trainer, dict) else {}
    of = files.settings.get("class") or trainer.get("dict_class")
    kind = _class(path, tensors, of)
    if kind is None:
        return None
    held, notes = _held(kind, tensors, trainer, path)
    return [Found(path, FORM, kind, held, _hook(trainer, config.get("buffer")), notes)]


def _class(path: Path, tensors: Mapping[str, Any], of: Any) -> str | None:
    """Return the class that a file was saved by; None if by none."""
    fit = [name for name, needed in CLASSES.items() if needed <= tensors.keys()]
    if of is not None:
        named = str(of)
        if named not in CLASSES:
            raise NotFoundError(f"class of {FORM}", named, CLASSES)
        if missing := sorted(CLASSES[named] - tensors.keys()):
            raise RunError(
                f"{str(path)!r} looks like {FORM}, {named}, but has no tensor {missing[0]!r}."
            )
        return named
    if {"AutoEncoderTopK", "BatchTopKSAE"} <= set(fit):
        raise UsageError(
            f"{str(path)!r} looks like {FORM}, but without its config.json nothing says whether it "
            f"is an AutoEncoderTopK or a BatchTopKSAE. Say it: --format {NAME},class=CLASS."
        )
    if "MatryoshkaBatchTopKSAE" in fit:
        return "MatryoshkaBatchTopKSAE"
    return fit[0] if fit else None


def _held(
    kind: str, tensors: Mapping[str, Any], trainer: Mapping[str, Any], path: Path
) -> tuple[Dictionary, tuple[str, ...]]:
    """Return the dictionary of a file, and what people should know."""

    def vec(name: str) -> torch.Tensor:
        return vector(tensors, name, path, FORM)

    def mat(name: str) -> torch.Tensor:
        return matrix(tensors, name, path, FORM)

    def made(*parts: torch.Tensor, activation: str = "relu", **more: Any) -> Dictionary:
        encoder, bias, decoder, center = parts
        return dictionary(path, FORM, encoder, bias, decoder, center, activation, **more)

    subtracted = (f"{'bias' if kind == 'AutoEncoder' else 'b_dec'} subtracted before encoding",)
    if kind in ("JumpReluAutoEncoder", "MatryoshkaBatchTopKSAE"):
        encoder, decoder = mat("W_enc"), mat("W_dec")
        threshold = _set(kind, tensors, encoder.shape[1], path)
        parts = encoder, vec("b_enc"), decoder, vec("b_dec")
        if kind == "JumpReluAutoEncoder":
            return made(*parts, activation="jumprelu", threshold=threshold), ()
        used = int(whole(tensors, "group_sizes", path, FORM).sum())
        threshold[used:] = torch.inf
        return made(*parts, activation="jumprelu", subtracted=True, threshold=threshold), subtracted
    encoder, decoder = mat("encoder.weight").T, mat("decoder.weight").T
    features = encoder.shape[1]
    if kind == "GatedAutoEncoder":
        names = "gate_bias", "mag_bias", "r_mag"
        gate, size, log = (vector(tensors, name, path, FORM, features) for name in names)
        parts = encoder * log.exp(), size, decoder, vec("decoder_bias")
        more: dict[str, Any] = {"threshold": gated(gate, size, log), "activation": "jumprelu"}
        return made(*parts, subtracted=True, **more), ("decoder_bias subtracted before encoding",)
    bias = vec("encoder.bias")
    if kind == "AutoEncoder":
        return made(encoder, bias, decoder, vec("bias"), subtracted=True), subtracted
    if kind == "AutoEncoderNew":
        return made(encoder, bias, decoder, vec("decoder.bias")), ()
    parts = encoder, bias, decoder, vec("b_dec")
    if kind == "BatchTopKSAE":
        threshold = _set(kind, tensors, features, path)
        return made(*parts, activation="jumprelu", subtracted=True, threshold=threshold), subtracted
    k = count(tensors.get("k", trainer.get("k")), features, path, FORM)
    return made(*parts, activation="topk", subtracted=True, k=k), subtracted


def _set(kind: str, tensors: Mapping[str, Any], features: int, path: Path) -> torch.Tensor:
    """Return the thresholds of a file, if they are set."""
    found = whole(tensors, "threshold", path, FORM)
    if kind != "JumpReluAutoEncoder" and float(found.min()) < 0:
        raise UsageError(
            f"{str(path)!r} is a {kind} of {FORM} whose threshold is not set "
            f"({float(found.min()):g}): it was saved too early in its training. Take a later "
            "checkpoint."
        )
    return above(found, features, path, FORM)


def _hook(trainer: Mapping[str, Any], buffer: Any) -> str | None:
    """Return the point that a trainer's configuration names."""
    name = trainer.get("submodule_name")
    if not isinstance(name, str):
        return None
    if point := POINT.fullmatch(name):
        return f"blocks.{point[2]}.hook_{point[1]}"
    side = buffer.get("io") if isinstance(buffer, dict) else None
    return f"{name}:{side}" if side in ("in", "out") else name
