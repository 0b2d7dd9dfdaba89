"""Bases and dictionaries as SAELens and circuit-tracer read them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from lib_graph.errors import ConflictError, NotFoundError, UsageError
from lib_graph.method.basis import LayerBasis
from lib_graph.method.dictionary import Basis, Dictionary

__all__ = ["WRITTEN", "write_dictionaries"]

VERSION = "6.54.12"  # of SAELens, whose layout is written
ARCHITECTURES = {
    "relu": "standard", "jumprelu": "jumprelu", "topk": "topk", "abs-topk": "abstopk",
}  # fmt: skip
"""our activation → SAELens's architecture"""

POINT = re.compile(r"(ln1|ln2)\.(\d+)")
POINTS = {"ln1": "hook_resid_pre", "ln2": "hook_resid_mid"}


def write_dictionaries(
    folder: Path, bases: Mapping[str, Basis], format: str, model: str
) -> list[Path]:
    """Return the files of weights written to a new folder, a layer each, in a format of WRITTEN.

    Features that are linear in the activations, such as LIB's, become two each, as those libraries
    know none that go below 0: 2 j is max(f̂_j, 0), 2 j + 1 is max(−f̂_j, 0). Numbers are float32.

    Raises NotFoundError for another format, ConflictError if the folder is there, UsageError for
    dictionaries or layers that the format cannot say.
    """
    if format not in WRITTEN:
        raise NotFoundError("format", format, WRITTEN, f"There are {', '.join(WRITTEN)}.")
    if folder.exists():
        raise ConflictError(f"{str(folder)!r} is there already. Choose another --out.")
    ready = {name: _two_sided(basis) for name, basis in bases.items() if not basis.raw}
    for name, each in ready.items():
        _check(name, each, format)
    _check_names(list(ready), format)
    folder.mkdir(parents=True)
    return WRITTEN[format](folder, ready, model)


def _two_sided(basis: Basis) -> Dictionary:
    """Return a basis as a dictionary whose features do not go below 0."""
    if isinstance(basis, LayerBasis):
        parts = basis.rotation, basis.offset, basis.inverse, basis.mean
        basis = Dictionary(*parts, "identity")
    assert isinstance(basis, Dictionary)
    if basis.activation != "identity":
        return basis
    return replace(
        basis,
        encoder=_pairs(basis.encoder.T).T,
        encoder_bias=_pairs(basis.encoder_bias),
        decoder=_pairs(basis.decoder),
        activation="relu",
        importance=None,
    )


def _pairs(rows: Tensor) -> Tensor:
    """Return each row, and behind it its negative."""
    return torch.stack([rows, -rows], 1).flatten(0, 1)


def _check(layer: str, basis: Dictionary, format: str) -> None:
    wrong = None
    known = ("relu", "jumprelu") if format == "circuit-tracer" else tuple(ARCHITECTURES)
    if basis.activation not in known:
        wrong = f"the activation {basis.activation}"
    elif basis.scaling and (format == "circuit-tracer" or basis.scaling != "layer_norm"):
        wrong = f"the scaling {basis.scaling}"
    elif format == "saelens" and basis.threshold is not None and float(basis.threshold.min()) < 0:
        wrong = "thresholds below 0"
    if wrong:
        raise UsageError(f"The dictionary of layer {layer!r} has {wrong}: {format} has no such.")


def _check_names(layers: Sequence[str], format: str) -> None:
    if format == "circuit-tracer" and not _common_hook(layers):
        raise UsageError(
            f"circuit-tracer has one place for a whole set: the same one of blocks 0, 1, …; the "
            f"layers are {', '.join(layers)}. Name such layers, in this order, or take saelens."
        )
    folders: dict[str, str] = {}
    for layer in layers:
        other = folders.setdefault(_folder(layer), layer)
        if format == "saelens" and other != layer:
            raise UsageError(
                f"Layers {other!r} and {layer!r} would both go to the folder {_folder(layer)!r}. "
                "Write them one at a time, with a --layer and an --out for each."
            )


def _folder(layer: str) -> str:
    return re.sub(r"[^\w.-]", "_", layer)


def _common_hook(layers: Sequence[str]) -> str:
    """Return the hook that all layers have in blocks 0, 1, … in turn; '' if they have not."""
    hooks = {_hook(layer).removeprefix(f"blocks.{i}.") for i, layer in enumerate(layers)}
    (hook, *others) = hooks
    return "" if others or hook.startswith("blocks.") else hook


def _saelens(folder: Path, bases: Mapping[str, Dictionary], model: str) -> list[Path]:
    """Write cfg.json and sae_weights.safetensors into a folder for each layer."""
    written = []
    for layer, basis in bases.items():
        here = folder / _folder(layer)
        here.mkdir()
        config: dict[str, Any] = {
            "architecture": ARCHITECTURES[basis.activation],
            "d_in": basis.width,
            "d_sae": basis.features,
            "dtype": "float32",
            "device": "cpu",
            "apply_b_dec_to_input": False,
            "normalize_activations": basis.scaling or "none",
            "reshape_activations": "none",
            "metadata": {
                "sae_lens_version": VERSION,
                "sae_lens_training_version": VERSION,
                "model_name": model,
                "hook_name": _hook(layer),
            },
        }
        if basis.k is not None:
            config |= {"k": basis.k, "rescale_acts_by_decoder_norm": False}
        (here / "cfg.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
        threshold = {} if basis.threshold is None else {"threshold": basis.threshold}
        parts = {"W_enc": basis.encoder, **_rest(basis), **threshold}
        written.append(_save(here / "sae_weights.safetensors", parts))
    return written


def _circuit_tracer(folder: Path, bases: Mapping[str, Dictionary], model: str) -> list[Path]:
    """Write layer_i.safetensors of each layer in turn, and config.yaml, which is JSON as well."""
    written = []
    for number, basis in enumerate(bases.values()):
        parts = {"W_enc": basis.encoder.T, **_rest(basis)}
        if basis.threshold is not None:
            parts["activation_function.threshold"] = basis.threshold
        written.append(_save(folder / f"layer_{number}.safetensors", parts))
    hook = _common_hook(list(bases))
    config = {"model_name": model, "model_kind": "transcoder_set", "feature_input_hook": hook,
              "feature_output_hook": hook, "scan": "lib-graph"}  # fmt: skip
    (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
    return written


def _rest(basis: Dictionary) -> dict[str, Tensor]:
    return {"b_enc": basis.encoder_bias, "W_dec": basis.decoder, "b_dec": basis.decoder_bias}


def _save(path: Path, parts: Mapping[str, Tensor]) -> Path:
    save_file({name: x.float().contiguous().clone() for name, x in parts.items()}, path)
    return path


def _hook(layer: str) -> str:
    """Return what TransformerLens calls a layer; its own name where that is not known."""
    found = POINT.fullmatch(layer)
    return f"blocks.{found[2]}.{POINTS[found[1]]}" if found else layer


WRITTEN: dict[str, Callable[[Path, Mapping[str, Dictionary], str], list[Path]]] = {
    "saelens": _saelens,
    "circuit-tracer": _circuit_tracer,
}
"""format → what writes it"""
