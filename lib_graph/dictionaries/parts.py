"""From matrices, however a library turns and names them, to dictionaries and transcoders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lib_graph.errors import RunError
from lib_graph.method.activation import SELECTIONS
from lib_graph.method.dictionary import Dictionary
from lib_graph.method.transcoder import Transcoder

__all__ = [
    "above", "count", "dictionary", "gated", "matrix", "misfit", "transcoder", "vector", "whole",
]  # fmt: skip


def whole(tensors: Mapping[str, Any], name: str, path: Path, form: str) -> Tensor:
    """Return a tensor in float64. Raises RunError if it is missing, or holds NaN or infinities."""
    found = tensors.get(name)
    if not isinstance(found, Tensor):
        raise RunError(f"{str(path)!r} looks like {form}, but has no tensor {name!r}.")
    if not (found.is_floating_point() or found.dtype in (torch.int32, torch.int64)):
        raise RunError(f"{name} in {str(path)!r} ({form}) is {found.dtype}, not floating point.")
    if not found.numel():
        raise RunError(f"{name} in {str(path)!r} ({form}) is empty: {tuple(found.shape)}.")
    found = found.double()
    if found.isnan().any() or (found.isinf().any() and "threshold" not in name):
        raise RunError(f"{name} in {str(path)!r} ({form}) has values that are NaN or infinite.")
    return found


def matrix(tensors: Mapping[str, Any], name: str, path: Path, form: str) -> Tensor:
    """Return a matrix in float64. Raises RunError if it is none, or as `whole` does."""
    found = whole(tensors, name, path, form)
    if found.ndim != 2:
        raise RunError(f"{name} in {str(path)!r} ({form}) is no matrix: {tuple(found.shape)}.")
    return found


def vector(
    tensors: Mapping[str, Any], name: str, path: Path, form: str, size: int | None = None
) -> Tensor:
    """Return a vector in float64, of a size if one is given.

    Raises RunError if it is none, or is of another size, or as `whole` does.
    """
    found = whole(tensors, name, path, form)
    if found.ndim != 1:
        raise RunError(f"{name} in {str(path)!r} ({form}) is no vector: {tuple(found.shape)}.")
    if size is not None and len(found) != size:
        raise misfit(path, form, name, found, (size,))
    return found


def above(threshold: Tensor, features: int, path: Path, form: str) -> Tensor:
    """Return a threshold for each feature, at least 0, as after a relu.

    There may be one for all. Raises RunError if there are neither one nor as many as features.
    """
    flat = threshold.flatten()
    if len(flat) not in (1, features):
        raise RunError(
            f"{str(path)!r} ({form}) does not fit together: {len(flat)} thresholds for {features} "
            "features."
        )
    return flat.expand(features).clamp_min(0.0).clone()


def gated(gate: Tensor, magnitude: Tensor, log_scale: Tensor) -> Tensor:
    """Return the threshold that says what a gate does.

    With p = x W, the gate is p + `gate` > 0 and the size e^r p + `magnitude`: the gate is open
    where the size is above `magnitude` − e^r `gate`.
    """
    return (magnitude - log_scale.exp() * gate).clamp_min(0.0)


def count(value: Any, features: int, path: Path, form: str) -> int:
    """Return k. Raises RunError if it is no number of features."""
    if isinstance(value, Tensor) and value.numel() == 1:
        value = value.item()
    if not isinstance(value, int | float) or value != value or not 1 <= value <= features:
        raise RunError(f"k of {str(path)!r} ({form}) is {value!r}, not one of 1 to {features}.")
    return int(value)


def dictionary(
    path: Path,
    form: str,
    encoder: Tensor,
    bias: Tensor,
    decoder: Tensor,
    center: Tensor,
    activation: str,
    *,
    subtracted: bool = False,
    threshold: Tensor | None = None,
    k: Any = None,
    scaling: str | None = None,
) -> Dictionary:
    """Return f̂ = act(f W + b), f ≈ f̂ D + c, from `encoder` d × r and `decoder` r × d.

    Where c is `subtracted` from f first, b is `bias` − c W.

    Raises RunError, naming the file and its form, if the parts do not fit together.
    """
    width, features = encoder.shape
    _fit(path, form, encoder, bias, decoder, center, width)
    shift = center @ encoder if subtracted else 0.0
    if scaling == "layer_norm":
        encoder = encoder - encoder.mean(0)
    if activation in SELECTIONS:
        k = count(k, features, path, form)
    return Dictionary(
        encoder, bias - shift, decoder, center, activation, None, threshold,
        k if activation in SELECTIONS else None, scaling,
    )  # fmt: skip


def transcoder(
    path: Path,
    form: str,
    encoder: Tensor,
    bias: Tensor,
    decoder: Tensor,
    output: Tensor,
    activation: str,
    *,
    threshold: Tensor | None = None,
    k: Any = None,
    skip: Tensor | None = None,
    place: int | None = None,
) -> Transcoder:
    """Return a transcoder from `encoder` d × r, `decoder` r × e or r × m × e, and `skip` d × e.

    Raises RunError, naming the file and its form, if the parts do not fit together.
    """
    width, features = encoder.shape
    if decoder.ndim == 2:
        decoder = decoder[:, None]
    if decoder.ndim != 3:
        raise RunError(f"The decoder in {str(path)!r} ({form}) is {tuple(decoder.shape)}.")
    _fit(path, form, encoder, bias, decoder[:, 0], output, len(output))
    if skip is not None and skip.shape != (width, len(output)):
        raise misfit(path, form, "the skip", skip, (width, len(output)))
    k = count(k, features, path, form) if activation in SELECTIONS else None
    return Transcoder(encoder, bias, decoder, output, activation, threshold, k, skip, place)


def _fit(
    path: Path, form: str, encoder: Tensor, bias: Tensor, decoder: Tensor, center: Tensor, out: int
) -> None:
    features = encoder.shape[1]
    for what, found, shape in (
        ("the encoder's bias", bias, (features,)),
        ("the decoder", decoder, (features, out)),
        ("the decoder's bias", center, (out,)),
    ):
        if found.shape != shape:
            raise misfit(path, form, what, found, shape)


def misfit(path: Path, form: str, what: str, found: Tensor, shape: tuple[int, ...]) -> RunError:
    """Return the error that a part of a file is not of the shape that the others ask for."""
    return RunError(
        f"{str(path)!r} looks like {form}, but does not fit together: {what} is "
        f"{tuple(found.shape)}, not {shape}."
    )
