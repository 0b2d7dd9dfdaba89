"""bases.safetensors: the bases of a run, and any bases or dictionaries given to a build.

LAYER.rotation (d × r), .mean (d), and if known .inverse (r × d), .importance, .pca_eigenvalues
LAYER.encoder (d × r), .encoder_bias (r), .decoder (r × d), .decoder_bias (d), and if known
    .importance; of jumprelu .threshold (r). The metadata's `activation`, or LAYER.activation of
    one layer, is one of ACTIVATIONS, with LAYER.k where features compete, and LAYER.scaling
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lib_graph.dictionaries.transcoders_file import as_tensors
from lib_graph.errors import NotFoundError, RunError, UsageError
from lib_graph.method.activation import ACTIVATIONS, SELECTIONS
from lib_graph.method.basis import LayerBasis, RawBasis
from lib_graph.method.dictionary import SCALINGS, Basis, Dictionary
from lib_graph.method.network import Layer
from lib_graph.method.transcoder import Transcoder
from lib_graph.support.arguments import checked
from lib_graph.support.files import whole_file

__all__ = ["given_bases", "misfit", "missing", "on_layers", "read_bases", "write_bases"]

ROTATION = ("rotation", "inverse", "mean", "pca_eigenvalues", "importance")
DICTIONARY = ("encoder", "encoder_bias", "decoder", "decoder_bias", "importance", "threshold")
WORDS = ("activation", "k", "scaling")  # of a dictionary, in the metadata
PARTIAL = "Give bases of this network, or hold what bypasses the layer fixed (--partial)."


def write_bases(
    path: Path,
    bases: Mapping[str, Basis],
    made_from: Mapping[str, Any],
    stand_ins: Mapping[str, Transcoder] | None = None,
) -> None:
    """Write LAYER.rotation or LAYER.encoder, … of every layer that is not raw, in float64.

    Beside them stand the transcoders that stand in at layers.
    """
    tensors = {
        f"{layer}.{part}": value.double().contiguous()
        for layer, basis in bases.items()
        if not basis.raw
        for part in (DICTIONARY if isinstance(basis, Dictionary) else ROTATION)
        if (value := getattr(basis, part)) is not None
    }
    metadata = {"made_from": json.dumps(made_from, sort_keys=True)}
    for layer, basis in bases.items():
        if isinstance(basis, Dictionary):
            words = {word: getattr(basis, word) for word in WORDS}
            metadata |= {f"{layer}.{word}": str(x) for word, x in words.items() if x is not None}
    more, said = as_tensors(stand_ins or {})
    tensors |= more
    metadata |= said
    with whole_file(path) as temporary:
        save_file(
            {name: tensor.clone() for name, tensor in tensors.items()},
            temporary,
            metadata=metadata,
        )


@checked
def read_bases(path: str | Path) -> dict[str, Basis]:
    """Return the bases and dictionaries in a file, by layer.

    Of a basis, `inverse` may be missing (the pseudo-inverse of the rotation is taken), and so may
    `pca_eigenvalues` and `importance`. Raises RunError if the file is missing, damaged, or its
    tensors do not fit each other.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).double() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise RunError(f"{str(path)!r} cannot be read as bases ({error}).") from error
    for name, tensor in tensors.items():
        unset = tensor.isnan() if name.endswith(".threshold") else ~tensor.isfinite()
        if unset.any():
            raise RunError(f"{name} in {str(path)!r} has values that are NaN or infinite.")
    layers = dict.fromkeys(
        _layer_of(name) for name in tensors if name.endswith((".rotation", ".encoder"))
    )
    if not layers:
        raise RunError(
            f"{str(path)!r} holds no bases: no tensor is called LAYER.rotation or LAYER.encoder."
        )
    return {layer: _read_layer(path, layer, tensors, metadata) for layer in layers}


def _read_layer(
    path: Path, layer: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> Basis:
    own = {name.rpartition(".")[2]: x for name, x in tensors.items() if _layer_of(name) == layer}
    if {"rotation", "encoder"} <= own.keys():
        raise RunError(f"{str(path)!r} has both {layer}.rotation and {layer}.encoder. Keep one.")
    first, needed = ("rotation", ["mean"])
    if "encoder" in own:
        first, needed = "encoder", ["encoder_bias", "decoder", "decoder_bias"]
    for part in needed:
        if part not in own:
            raise RunError(f"{str(path)!r} has no tensor {f'{layer}.{part}'!r}.")
    if own[first].ndim != 2:
        raise RunError(f"{layer}.{first} in {str(path)!r} is no matrix: {tuple(own[first].shape)}.")
    if not own[first].numel():
        raise RunError(f"{layer}.{first} in {str(path)!r} is empty: {tuple(own[first].shape)}.")
    _check_shapes(path, layer, first, own)
    if first == "encoder":
        return _dictionary(path, layer, own, metadata)
    inverse = own.get("inverse")
    return LayerBasis(
        own["rotation"],
        torch.linalg.pinv(own["rotation"]) if inverse is None else inverse,
        own["mean"],
        own.get("pca_eigenvalues"),
        own.get("importance"),
    )


def _layer_of(name: str) -> str:
    return name.rpartition(".")[0]


def _check_shapes(path: Path, layer: str, first: str, own: Mapping[str, Tensor]) -> None:
    """Raise RunError if a part does not fit the layer's first matrix (d × r)."""
    width, features = own[first].shape
    expected = {
        **dict.fromkeys(["inverse", "decoder"], (features, width)),
        **dict.fromkeys(["mean", "decoder_bias"], (width,)),
        **dict.fromkeys(["importance", "encoder_bias", "threshold"], (features,)),
    }
    for part, shape in expected.items():
        if part in own and own[part].shape != shape:
            raise RunError(
                f"{str(path)!r} does not fit together: {layer}.{part} is {tuple(own[part].shape)}, "
                f"but {layer}.{first} is {(width, features)}."
            )


def _dictionary(
    path: Path, layer: str, own: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> Dictionary:
    """Return the dictionary of a layer, its activation and what that needs checked."""
    said = {word: metadata.get(f"{layer}.{word}", metadata.get(word)) for word in WORDS}
    activation, features = said["activation"], len(own["decoder"])
    if activation not in ACTIVATIONS:
        raise RunError(
            f"The metadata of {str(path)!r} has the activation {activation!r}; a dictionary's is "
            f"{', '.join(map(repr, ACTIVATIONS[:-1]))} or {ACTIVATIONS[-1]!r}."
        )
    if ("threshold" in own) != (activation == "jumprelu"):
        has = "a threshold beside" if "threshold" in own else "no threshold for"
        raise RunError(
            f"{str(path)!r} has {has} the activation {activation!r} of layer {layer!r}: a "
            "threshold belongs to 'jumprelu'."
        )
    k = said["k"]
    if (k is not None) != (activation in SELECTIONS):
        raise RunError(f"{str(path)!r} has k {k!r} for the activation {activation!r} of {layer!r}.")
    if k is not None and not (k.isdecimal() and len(k) < 10 and 1 <= int(k) <= features):
        raise RunError(f"{str(path)!r} has k {k!r} for the {features} features of {layer!r}.")
    if activation == "groupmax" and k is not None and features % int(k):
        raise RunError(f"{str(path)!r} has {features} features of {layer!r} in {k} groups.")
    if said["scaling"] not in (None, *SCALINGS):
        raise RunError(f"{str(path)!r} has the scaling {said['scaling']!r} for layer {layer!r}.")
    return Dictionary(
        own["encoder"], own["encoder_bias"], own["decoder"], own["decoder_bias"], activation,
        own.get("importance"), own.get("threshold"), None if k is None else int(k),
        said["scaling"],
    )  # fmt: skip


def given_bases(path: Path, layers: Sequence[Layer]) -> dict[str, Basis]:
    """Return a basis for each of a network's layers from a file; a last layer without one is raw.

    Raises NotFoundError if a layer has none, UsageError if a basis has not its layer's width.
    """
    return on_layers(read_bases(path), layers, repr(str(path)))


def on_layers(found: Mapping[str, Basis], layers: Sequence[Layer], where: str) -> dict[str, Basis]:
    """Return a basis for each of a network's layers; a last layer without one is raw.

    Raises NotFoundError if a layer has none, naming `where` they are from, UsageError if a basis
    has not its layer's width.
    """
    bases: dict[str, Basis] = {}
    for layer in layers:
        if layer is layers[-1] and layer.name not in found:
            bases[layer.name] = RawBasis(layer.width)
            continue
        if layer.name not in found:
            raise missing(layer.name, found, where)
        basis = bases[layer.name] = found[layer.name]
        if basis.width != layer.width:
            raise misfit(layer.name, basis, layer.width, where, PARTIAL)
    return bases


def missing(layer: str, found: Mapping[str, Basis], where: str) -> NotFoundError:
    """Return the error for a layer that has no basis."""
    advice = f"It is not in {where}. Leave the layer out (--layers), or give one for it."
    return NotFoundError("basis of layer", layer, found, advice)


def misfit(
    layer: str, basis: Basis, width: int, where: str, advice: str = "Give bases of this network."
) -> UsageError:
    """Return the error for a basis that has not its layer's width."""
    return UsageError(
        f"The basis of layer {layer!r} in {where} is for {basis.width} coordinates; the layer has "
        f"{width}. {advice}"
    )
