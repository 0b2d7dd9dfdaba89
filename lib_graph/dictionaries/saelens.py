"""SAELens: cfg.json beside sae_weights.safetensors, before version 6 and since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lib_graph.dictionaries.files import Files
from lib_graph.dictionaries.found import Found
from lib_graph.dictionaries.parts import (
    above,
    dictionary,
    gated,
    matrix,
    misfit,
    transcoder,
    vector,
)
from lib_graph.errors import RunError, UsageError
from lib_graph.method.dictionary import Dictionary

__all__ = ["NAME", "read"]

NAME = "saelens"
CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
SCALER, WHITENING = "activation_scaler.json", "activation_whitening.safetensors"
"""what a checkpoint of training has beside them"""

FACTORS = ("scaling_factor", "finetuning_scaling_factor")
"""what is published calls them so, and what 3.x to 5.x saved"""

ARCHITECTURES = {
    "standard": "relu", "jumprelu": "jumprelu", "topk": "topk", "gated": "jumprelu",
    "abstopk": "abs-topk", "batchtopk": "jumprelu", "matryoshka_batchtopk": "jumprelu",
    "transcoder": "relu", "skip_transcoder": "relu", "jumprelu_transcoder": "jumprelu",
    "jumprelu_skip_transcoder": "jumprelu",
}  # fmt: skip
"""SAELens's word -> our activation"""

SCALED = {"layer_norm": "layer_norm", "constant_norm_rescale": "norm"}
"""its word for what it does to the activations first -> our scaling"""

AVERAGE, WHITENED = "expected_average_only_in", "covariance_whitening"
NORMALISED = ("none", AVERAGE, WHITENED, *SCALED)
HEADS = ("hook_head_index", "hook_point_head_index")


@dataclass(frozen=True)
class _Config:
    """cfg.json, whatever its version."""

    values: Mapping[str, Any]
    path: Path

    @property
    def metadata(self) -> Mapping[str, Any]:
        inner = self.values.get("metadata")
        return {**self.values, **inner} if isinstance(inner, dict) else self.values

    @property
    def version(self) -> str:
        return str(self.metadata.get("sae_lens_version") or "")

    @property
    def old(self) -> bool:
        first = self.version.partition(".")[0]
        return not first.isdigit() or int(first) < 6

    @property
    def form(self) -> str:
        numbers = ".".join(self.version.split(".")[:2])
        return f"SAELens {numbers}" if numbers else "SAELens before 6"

    @property
    def architecture(self) -> str:
        given = str(self.values.get("architecture", "standard"))
        return "topk" if given == "standard" and self._activation == "topk" else given

    @property
    def _activation(self) -> str:
        found = self.values.get("activation_fn_str", self.values.get("activation_fn"))
        return str(found or "relu")

    @property
    def k(self) -> Any:
        inner = self.values.get("activation_fn_kwargs")
        return inner["k"] if isinstance(inner, dict) and "k" in inner else self.values.get("k")

    @property
    def hook(self) -> str | None:
        found = self.metadata.get("hook_name") or self.metadata.get("hook_point")
        layer = self.metadata.get("hook_layer", self.metadata.get("hook_point_layer"))
        return None if not found else str(found).replace("{layer}", str(layer))

    @property
    def normalised(self) -> str:
        found = self.values.get("normalize_activations")
        if isinstance(found, bool) or found is None:
            return AVERAGE if found else "none"
        return str(found)

    @property
    def processing(self) -> dict[str, bool]:
        """What TransformerLens did to the weights; SAELens has it do nothing unless told to."""
        kwargs = self.metadata.get("model_from_pretrained_kwargs")
        said = kwargs if isinstance(kwargs, dict) else {}
        return {"centred": said.get("center_writing_weights") is True,
                "folded": said.get("fold_ln") is True}  # fmt: skip

    def check(self) -> None:
        """Raise UsageError for what cannot be said as a dictionary."""
        wrong = None
        if self.architecture not in ARCHITECTURES:
            wrong = f"architecture {self.architecture!r}"
        elif self._activation not in ("relu", "topk"):
            wrong = f"activation {self._activation!r}"
        elif any(self.metadata.get(name) is not None for name in HEADS):
            wrong = "a dictionary of a single head"
        elif self.normalised not in NORMALISED:
            wrong = f"normalize_activations {self.normalised!r}"
        if wrong:
            known = ", ".join(ARCHITECTURES)
            raise UsageError(f"{str(self.path)!r} is {self.form} with {wrong}. Read are {known}.")


def read(files: Files) -> list[Found] | None:
    """Return the dictionary or transcoder of a SAELens folder; None if it is none.

    Raises RunError if its files are damaged or do not fit together, UsageError for architectures
    that are no dictionary, and where a scale is needed that is not in the files.
    """
    path, config = files.path(WEIGHTS), files.path(CONFIG)
    values = files.config(CONFIG)
    if path is None or values is None or config is None or "W_dec" not in files.names(path):
        return None
    asked = _Config(values, config)
    asked.check()
    tensors = dict(files.tensors(path))
    if "transcoder" in asked.architecture:
        return [_transcoder(asked, tensors, path)]
    return [_dictionary(asked, tensors, path, files)]


def _transcoder(config: _Config, tensors: Mapping[str, Any], path: Path) -> Found:
    form, architecture = config.form, config.architecture
    if config.normalised != "none":
        raise UsageError(
            f"{str(path)!r} is a {form} {architecture} of activations that were normalised "
            f"({config.normalised}). Fold that into its weights first."
        )
    encoder = matrix(tensors, "W_enc", path, form)
    activation = ARCHITECTURES[architecture]
    threshold = skip = None
    if activation == "jumprelu":
        threshold = above(vector(tensors, "threshold", path, form), encoder.shape[1], path, form)
    if "skip" in architecture:
        skip = matrix(tensors, "W_skip", path, form).T
    held = transcoder(
        path, form, encoder, vector(tensors, "b_enc", path, form),
        matrix(tensors, "W_dec", path, form), vector(tensors, "b_dec", path, form),
        activation, threshold=threshold, skip=skip,
    )  # fmt: skip
    out = config.metadata.get("hook_name_out")
    notes = (f"writes to {out}",) if out else ()
    return Found(path, form, architecture, held, config.hook, notes, **config.processing)


def _dictionary(config: _Config, tensors: Mapping[str, Any], path: Path, files: Files) -> Found:
    form, architecture, notes = config.form, config.architecture, []
    encoder, decoder = (matrix(tensors, name, path, form) for name in ("W_enc", "W_dec"))
    center = vector(tensors, "b_dec", path, form)
    features, activation = encoder.shape[1], ARCHITECTURES[architecture]
    if decoder.shape != encoder.T.shape:
        raise misfit(path, form, "the decoder", decoder, tuple(encoder.T.shape))
    decoder, scale = _finetuned(config, tensors, decoder, path), 1.0
    if architecture == "gated":
        names = "b_gate", "b_mag", "r_mag"
        gate, bias, log = (vector(tensors, name, path, form, features) for name in names)
        threshold: Tensor | None = gated(gate, bias, log)
        encoder = encoder * log.exp()
    else:
        bias = vector(tensors, "b_enc", path, form, features)
        threshold = _threshold(tensors, features, path, form) if activation == "jumprelu" else None
    if config.normalised == AVERAGE:
        scale = _scale(config, files, len(encoder))
        encoder, decoder, center = encoder * scale, decoder / scale, center / scale
        notes.append(f"activations times {scale:.4g}, folded in")
    if config.values.get("rescale_acts_by_decoder_norm"):
        norm = decoder.norm(dim=1)
        encoder, bias, decoder = encoder * norm, bias * norm, decoder / norm[:, None]
        threshold = None if threshold is None else threshold / scale
        notes.append("rows of the decoder brought to length 1")
    subtracted = bool(config.values.get("apply_b_dec_to_input", config.old))
    if subtracted:
        notes.append("b_dec subtracted before encoding")
    scaling = SCALED.get(config.normalised)
    if scaling:
        notes.append(f"of activations after {config.normalised} at each position")
    held = dictionary(
        path, form, encoder, bias, decoder, center, activation,
        subtracted=subtracted, threshold=threshold, k=config.k, scaling=scaling,
    )  # fmt: skip
    if config.normalised == WHITENED:
        held = _of_unwhitened(held, config, files)
        notes.append("of whitened activations, folded in")
    return Found(path, form, architecture, held, config.hook, tuple(notes), **config.processing)


def _threshold(tensors: Mapping[str, Any], features: int, path: Path, form: str) -> Tensor:
    if "log_threshold" in tensors:
        return above(vector(tensors, "log_threshold", path, form).exp(), features, path, form)
    name = "topk_threshold" if "topk_threshold" in tensors else "threshold"
    found = tensors.get(name)
    if isinstance(found, Tensor):
        found = found.flatten()
    return above(vector({**tensors, name: found}, name, path, form), features, path, form)


def _finetuned(config: _Config, tensors: Mapping[str, Any], decoder: Tensor, path: Path) -> Tensor:
    """Return the decoder with the factors that features are multiplied by before decoding."""
    name = next((each for each in FACTORS if each in tensors), None)
    if name is None:
        return decoder
    factor = vector(tensors, name, path, config.form, len(decoder))
    if torch.allclose(factor, torch.ones_like(factor)):
        return decoder
    if not config.values.get("finetuning_scaling_factor"):
        raise RunError(
            f"{str(path)!r} has a {name}, but its {CONFIG} does not say that it counts "
            "(finetuning_scaling_factor)."
        )
    return decoder * factor[:, None]


def _scale(config: _Config, files: Files, width: int) -> float:
    """Return √d over the mean norm of the activations: a checkpoint has it, else it is said."""
    norm = files.number("norm")
    if norm is not None:
        return float(width**0.5 / norm)
    found = (files.config(SCALER) or {}).get("scaling_factor")
    if isinstance(found, int | float) and 0 < found < float("inf"):
        return float(found)
    raise UsageError(
        f"{str(config.path)!r} is of activations times √d over their mean norm ({AVERAGE}), and "
        f"that norm is in none of its files. Say it: --format {NAME},norm=NUMBER."
    )


def _of_unwhitened(held: Dictionary, config: _Config, files: Files) -> Dictionary:
    """Return a dictionary of whitened activations (f − mean) M as one of f."""
    path = Files(files.folder).path(WHITENING)
    if path is None:
        raise UsageError(
            f"{str(config.path)!r} is of whitened activations ({WHITENED}), and {WHITENING}, "
            "which says how, is not beside it."
        )
    tensors = files.tensors(path)
    mean = vector(tensors, "mean", path, config.form)
    into, back = (matrix(tensors, name, path, config.form) for name in ("matrix", "inverse_matrix"))
    square = (held.width, held.width)
    if not (mean.shape == square[:1] and into.shape == back.shape == square):
        raise RunError(f"{str(path)!r} does not fit to {WEIGHTS}: that is of {held.width}.")
    encoder = into @ held.encoder
    return replace(
        held,
        encoder=encoder,
        encoder_bias=held.encoder_bias - mean @ encoder,
        decoder=held.decoder @ back,
        decoder_bias=held.decoder_bias @ back + mean,
    )
