"""bases.safetensors: the bases of a run, and any other bases that interactions are asked for in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lib_graph.basis import LayerBasis, raw_basis
from lib_graph.errors import NotFoundError, RunError, UsageError
from lib_graph.files import whole_file
from lib_graph.network import Layer

__all__ = ["bases_made_from", "given_bases", "read_bases", "write_bases"]

PARTS = ("rotation", "inverse", "mean", "pca_eigenvalues", "importance")


def write_bases(path: Path, bases: Mapping[str, LayerBasis], made_from: Mapping[str, Any]) -> None:
    """Write "{layer}.rotation", … of every layer that is not raw, in float64."""
    tensors = {
        f"{layer}.{part}": value.double().contiguous()
        for layer, basis in bases.items()
        if not basis.raw
        for part in PARTS
        if (value := getattr(basis, part)) is not None
    }
    with whole_file(path) as temporary:
        save_file(
            {name: tensor.clone() for name, tensor in tensors.items()},
            temporary,
            metadata={"made_from": json.dumps(made_from, sort_keys=True)},
        )


def bases_made_from(path: Path) -> dict[str, Any] | None:
    """Return what a bases file was made from; None if there is no file, or it does not say."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("made_from")
    except SafetensorError:
        return None
    return None if text is None else json.loads(text)


def read_bases(path: Path) -> dict[str, LayerBasis]:
    """Return the bases in a file, by layer.

    `inverse` may be missing (the pseudo-inverse of the rotation is taken), and so may
    `pca_eigenvalues` and `importance`. Raises RunError if the file is missing, damaged, or its
    shapes do not fit each other.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name).double() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise RunError(f"{str(path)!r} cannot be read as bases ({error}).") from error
    layers = [name.removesuffix(".rotation") for name in tensors if name.endswith(".rotation")]
    if not layers:
        raise RunError(f"{str(path)!r} holds no bases: no tensor is called LAYER.rotation.")
    return {layer: _read_layer(path, layer, tensors) for layer in layers}


def _read_layer(path: Path, layer: str, tensors: Mapping[str, Tensor]) -> LayerBasis:
    rotation = tensors[f"{layer}.rotation"]
    if rotation.ndim != 2:
        raise RunError(f"{layer}.rotation in {str(path)!r} is no matrix: {tuple(rotation.shape)}.")
    mean = tensors.get(f"{layer}.mean")
    if mean is None:
        raise RunError(f"{str(path)!r} has no tensor {layer + '.mean'!r}.")
    inverse = tensors.get(f"{layer}.inverse")
    inverse = torch.linalg.pinv(rotation) if inverse is None else inverse
    importance = tensors.get(f"{layer}.importance")
    parts = {"rotation": rotation, "inverse": inverse, "mean": mean, "importance": importance}
    width, features = rotation.shape
    expected = [(width, features), (features, width), (width,), (features,)]
    for (part, tensor), shape in zip(parts.items(), expected, strict=True):
        if tensor is not None and tensor.shape != shape:
            raise RunError(
                f"{str(path)!r} does not fit together: {layer}.{part} is {tuple(tensor.shape)}, "
                f"but {layer}.rotation is {(width, features)}."
            )
    return LayerBasis(rotation, inverse, mean, tensors.get(f"{layer}.pca_eigenvalues"), importance)


def given_bases(path: Path, layers: tuple[Layer, ...]) -> dict[str, LayerBasis]:
    """Return a basis for each of a network's layers from a file; a last layer without one is raw.

    Raises NotFoundError if a layer has none, UsageError if a basis has not its layer's width.
    """
    found = read_bases(path)
    bases = {}
    for layer in layers:
        if layer is layers[-1] and layer.name not in found:
            bases[layer.name] = raw_basis(layer.width)
            continue
        if layer.name not in found:
            raise NotFoundError("basis of layer", layer.name, found, f"It is not in {str(path)!r}.")
        basis = bases[layer.name] = found[layer.name]
        if basis.width != layer.width:
            raise UsageError(
                f"The basis of layer {layer.name!r} in {str(path)!r} is for {basis.width} "
                f"coordinates; the layer has {layer.width}. Give bases of this network."
            )
    return bases
