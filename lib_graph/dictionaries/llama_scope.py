"""Llama Scope: hyperparams.json beside checkpoints/final.safetensors; and its R1-Distill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lib_graph.dictionaries.files import Files
from lib_graph.dictionaries.found import Found
from lib_graph.dictionaries.parts import above, dictionary, matrix, vector
from lib_graph.errors import RunError, UsageError

__all__ = ["NAME", "read"]

NAME, FORM = "llama-scope", "Llama Scope"
PARTS = {"encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias"}


def read(files: Files) -> list[Found] | None:
    """Return the dictionary of a Llama Scope folder; None if it is none.

    Activations are times √d over their mean norm; that is folded into the weights.

    Raises RunError if its files are damaged or do not fit together, UsageError where nothing says
    the norm.
    """
    config, name = files.config("hyperparams.json"), "hyperparams.json"
    path = files.path("checkpoints/final.safetensors", "final.safetensors")
    if config is None and path is not None and path == files.place:
        config = Files(files.folder.parent).config(name)
    if config is None:
        config, name = files.config("config.json"), "config.json"
        path = files.path("sae_weights.safetensors")
    if config is None or path is None or not files.names(path) >= PARTS:
        return None
    tensors = files.tensors(path)
    encoder = matrix(tensors, "encoder.weight", path, FORM).T
    if "log_jumprelu_threshold" in tensors:
        threshold = vector(tensors, "log_jumprelu_threshold", path, FORM).exp()
    else:
        given = config.get("jump_relu_threshold")
        if not isinstance(given, int | float) or given != given:
            raise RunError(f"{name} beside {str(path)!r} has the jump_relu_threshold {given!r}.")
        threshold = torch.tensor([float(given)], dtype=torch.float64)
    scale = _scale(files, config, path, len(encoder))
    held = dictionary(
        path, FORM, encoder * scale, vector(tensors, "encoder.bias", path, FORM),
        matrix(tensors, "decoder.weight", path, FORM).T / scale,
        vector(tensors, "decoder.bias", path, FORM) / scale, "jumprelu",
        threshold=above(threshold, encoder.shape[1], path, FORM),
    )  # fmt: skip
    hook = config.get("hook_point_in")
    notes = (f"activations times {scale:.4g}, folded in",)
    return [Found(path, FORM, "jumprelu", held, None if hook is None else str(hook), notes)]


def _scale(files: Files, config: dict[str, Any], path: Path, width: int) -> float:
    """Return √d over the mean norm of the activations."""
    norm = files.number("norm")
    norms = config.get("dataset_average_activation_norm")
    if norm is None and isinstance(norms, dict):
        norm = norms.get("in")
    if not isinstance(norm, int | float) or not 0 < norm < float("inf"):
        raise UsageError(
            f"{str(path)!r} is {FORM} of activations over their mean norm, and no "
            f"dataset_average_activation_norm says it. Say it: --format {NAME},norm=NUMBER."
        )
    return float(width**0.5 / norm)
