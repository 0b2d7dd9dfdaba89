"""Gemma Scope: …/layer_L/…/params.npz; Gemma Scope 2: params.safetensors beside config.json."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from lib_graph.dictionaries.files import Files
from lib_graph.dictionaries.found import Found
from lib_graph.dictionaries.parts import above, dictionary, matrix, transcoder, vector, whole
from lib_graph.errors import RunError
from lib_graph.method.transcoder import Transcoder

__all__ = ["NAME", "read"]

NAME = "gemma-scope"
PARTS = {"w_enc", "w_dec", "b_enc", "b_dec", "threshold"}
LAYER = re.compile(r"layer_(\d+)")
BLOCK = re.compile(r"layers\.(\d+)\.")  # in the name of a point
SITES = {
    "attn_out": "attn.hook_z", "mlp_out": "hook_mlp_out", "resid_post": "hook_resid_post",
    "att": "attn.hook_z", "mlp": "hook_mlp_out", "res": "hook_resid_post",
}  # fmt: skip
"""a word in the path -> the point in a block"""


def read(files: Files) -> list[Found] | None:
    """Return the dictionary or transcoder of a Gemma Scope folder; None if it is none.

    Raises RunError if its files are damaged or do not fit together, or if those of a cross-layer
    transcoder do not say of which layer they are.
    """
    path = files.path("params.npz", "params.safetensors") or files.weights()
    if path is None or path.suffix not in (".npz", ".safetensors"):
        return None
    names = files.names(path)
    second = path.suffix == ".safetensors"
    found = names if second else {name.lower() for name in names}
    if not found >= PARTS:
        return None
    form = "Gemma Scope 2" if second else "Gemma Scope"
    tensors = {name if second else name.lower(): x for name, x in files.tensors(path).items()}
    config = files.config("config.json") or {} if second else {}
    across = "affine_skip_connection" in tensors or "hf_hook_point_out" in config
    across = across or any(_named(path, word) for word in ("transcoders?", "clt"))
    decoder = whole(tensors, "w_dec", path, form)
    if across or decoder.ndim != 2:
        return [_transcoder(path, form, tensors, decoder, config)]
    encoder = matrix(tensors, "w_enc", path, form)
    notes: tuple[str, ...] = ()
    if _named(path, "embedding"):
        scale = len(encoder) ** 0.5
        encoder, decoder, notes = encoder / scale, decoder * scale, ("of embeddings over √d",)
    held = dictionary(
        path, form, encoder, vector(tensors, "b_enc", path, form), decoder,
        vector(tensors, "b_dec", path, form), "jumprelu",
        threshold=above(whole(tensors, "threshold", path, form), encoder.shape[1], path, form),
    )  # fmt: skip
    return [Found(path, form, "jumprelu", held, _hook(path, config), notes)]


def _transcoder(
    path: Path, form: str, tensors: Mapping[str, Any], decoder: Tensor, config: Mapping[str, Any]
) -> Found:
    encoder = matrix(tensors, "w_enc", path, form)
    hook = config.get("hf_hook_point_in")
    layer = LAYER.findall(_near(path)) or BLOCK.findall(str(hook))
    skip = None
    if "affine_skip_connection" in tensors:
        skip = matrix(tensors, "affine_skip_connection", path, form)
    place = None
    if decoder.ndim == 3:
        place = _place(path, form, decoder, layer)
        decoder = decoder[:, place:]  # it is for every layer: those before get nothing
    held: Transcoder = transcoder(
        path, form, encoder, vector(tensors, "b_enc", path, form), decoder,
        vector(tensors, "b_dec", path, form), "jumprelu",
        threshold=above(whole(tensors, "threshold", path, form), encoder.shape[1], path, form),
        skip=skip, place=place,
    )  # fmt: skip
    if hook is None and layer:
        hook = f"blocks.{layer[-1]}.ln2.hook_normalized"
    out = config.get("hf_hook_point_out")
    kind = "jumprelu transcoder" + (" with a skip" if skip is not None else "")
    return Found(path, form, kind, held, hook, (f"writes to {out}",) if out else ())


def _place(path: Path, form: str, decoder: Tensor, layer: Sequence[str]) -> int:
    """Return the layer that a cross-layer transcoder is of, among those it has decoders for."""
    if not layer or int(layer[-1]) >= decoder.shape[1]:
        said = f"is of layer {layer[-1]}" if layer else "does not say of which layer it is"
        raise RunError(
            f"{str(path)!r} looks like {form}, with decoders for {decoder.shape[1]} layers, and "
            f"{said}. Keep its folders' names, with layer_L."
        )
    return int(layer[-1])


def _named(path: Path, word: str) -> bool:
    """Return whether a word is in the names of the nearest folders."""
    return re.search(rf"(?<![a-z]){word}(?![a-z])", _near(path)) is not None


def _near(path: Path) -> str:
    return "/".join(path.absolute().parts[-6:])


def _hook(path: Path, config: Mapping[str, Any]) -> str | None:
    if isinstance(given := config.get("hf_hook_point_in"), str):
        return given
    if _named(path, "embedding"):
        return "hook_embed"
    layer = LAYER.findall(_near(path))
    site = next((hook for word, hook in SITES.items() if _named(path, word)), None)
    return f"blocks.{layer[-1]}.{site or 'hook_resid_post'}" if layer else None
