"""ApolloResearch's rib: NAME_rib_graph.pt and NAME_rib_Cs.pt; and the published reference graphs.

With biases folded in, the last coordinate is the constant 1. Where it is centred, feature 0 is the
constant feature.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lib_graph.dictionaries.files import Files
from lib_graph.dictionaries.found import Found
from lib_graph.dictionaries.parts import matrix, vector
from lib_graph.errors import RunError
from lib_graph.method.basis import LayerBasis
from lib_graph.method.dictionary import Basis, Dictionary

__all__ = ["NAME", "folded_basis", "read"]

NAME, FORM = "rib", "rib"
REFERENCE = "reference graph of rib"


def read(files: Files) -> list[Found] | None:
    """Return the bases of a graph of rib's, or of a published one, by layer; None if it is none.

    Raises RunError if it is damaged or does not fit together.
    """
    path = files.weights()
    if path is None:
        return None
    names = files.names(path)
    if path.suffix == ".safetensors":
        layers = [name.removesuffix(".C_pinv") for name in names if name.endswith(".C_pinv")]
        tensors = files.tensors(path)
        return [_reference(path, tensors, layer) for layer in sorted(layers)] or None
    if path.suffix != ".pt" or "interaction_rotations" not in names:
        return None
    return _graph(path, files.tensors(path))


def folded_basis(
    rotation: Tensor, inverse: Tensor, mean: Tensor, importance: Tensor | None
) -> LayerBasis:
    """Return a basis without the constant coordinate, which is last, and feature, which is first.

    `importance`, the constant's first, may go on past the columns of the rotation.
    """
    kept = rotation[:-1, 1:].contiguous()
    return LayerBasis(
        kept,
        inverse[1:, :-1].contiguous(),
        mean[:-1],
        None,
        None if importance is None else importance[1:][: kept.shape[1]],
    )


def _reference(path: Path, tensors: Mapping[str, Any], layer: str) -> Found:
    rotation, inverse = (
        matrix(tensors, f"{layer}.{part}", path, REFERENCE) for part in ("C", "C_pinv")
    )
    mean = vector(tensors, f"{layer}.mean", path, REFERENCE)
    name = f"{layer}.Lambda"
    importance = vector(tensors, name, path, REFERENCE) if name in tensors else None
    return _found(path, REFERENCE, layer, rotation, inverse, mean, importance)


def _graph(path: Path, graph: Mapping[str, Any]) -> list[Found]:
    config = graph.get("config")
    kind = config.get("basis_formula") if isinstance(config, dict) else None
    means = graph.get("mean_vectors")
    means = means if isinstance(means, dict) else {}
    found = []
    rotations = graph["interaction_rotations"]
    for each in rotations if isinstance(rotations, list) else ():
        if not isinstance(each, dict) or not isinstance(each.get("node_layer"), str):
            raise RunError(f"{str(path)!r} looks like {FORM}, but a rotation names no layer.")
        layer = each["node_layer"]
        if each.get("C") is None:  # a last layer as it is
            continue
        rotation, inverse = (matrix(each, part, path, FORM) for part in ("C", "C_pinv"))
        mean = None if means.get(layer) is None else vector(means, layer, path, FORM)
        importance = None if each.get("Lambda") is None else vector(each, "Lambda", path, FORM)
        found.append(
            _found(path, FORM, layer, rotation, inverse, mean, importance, str(kind or "basis"))
        )
    if not found:
        raise RunError(f"{str(path)!r} looks like {FORM}, but has no rotation C of any layer.")
    return found


def _found(
    path: Path,
    form: str,
    layer: str,
    rotation: Tensor,
    inverse: Tensor,
    mean: Tensor | None,
    importance: Tensor | None,
    kind: str = "basis",
) -> Found:
    if inverse.shape != rotation.T.shape or (mean is not None and len(mean) != len(rotation)):
        raise RunError(
            f"{str(path)!r} looks like a {form}, but does not fit together: {layer}.C is "
            f"{tuple(rotation.shape)}, C_pinv {tuple(inverse.shape)}."
        )
    notes: tuple[str, ...] = ("biases folded in: the constant coordinate and feature taken out",)
    basis: Basis
    if mean is None:
        zero = torch.zeros(len(rotation) - 1, dtype=torch.float64)
        basis = Dictionary(
            rotation[:-1], rotation[-1], inverse[:, :-1], zero, "identity",
            None if importance is None else importance[: rotation.shape[1]],
        )  # fmt: skip
        notes = ("biases folded in, not centred: the constant coordinate taken out",)
    elif abs(float(mean[-1]) - 1) < 1e-6:
        basis = folded_basis(rotation, inverse, mean, importance)
    else:
        width = rotation.shape[1]
        basis = LayerBasis(
            rotation, inverse, mean, None, None if importance is None else importance[:width]
        )
        notes = ()
    return Found(path, form, kind, basis, layer, notes)
