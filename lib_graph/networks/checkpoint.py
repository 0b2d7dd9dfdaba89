"""Models on disk: a folder with model.safetensors and config.json, read with care."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lib_graph.errors import ModelError
from lib_graph.support.files import whole_folder

__all__ = ["CONFIG", "fill", "read_config", "read_json", "read_weights", "save"]

CONFIG, WEIGHTS = "config.json", "model.safetensors"

ConfigT = TypeVar("ConfigT", bound=BaseModel)


def read_json(folder: Path, name: str = CONFIG) -> dict[str, Any]:
    """Return what a JSON file says. Raises ModelError if it is missing or no JSON."""
    path = _file(folder, name)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{str(path)!r} cannot be read as JSON ({error}). Correct it.") from error
    if not isinstance(config, dict):
        raise ModelError(f"{str(path)!r} holds no JSON object but {config!r:.40}. Correct it.")
    return config


def read_config(folder: Path, kind: type[ConfigT]) -> ConfigT:
    """Return config.json as a `kind`. Raises ModelError naming the first field that is wrong."""
    config = read_json(folder)
    try:
        return kind.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        found = "" if not field or first["type"] == "missing" else f" is {first['input']!r:.60}"
        raise ModelError(
            f"{str(folder / CONFIG)!r} does not fit: {field}{found}: {first['msg']}. Correct it."
        ) from error


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Return the tensors in model.safetensors.

    Raises ModelError if the file is missing or broken, or holds numbers that are not finite.
    """
    path = _file(folder, WEIGHTS)
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"{str(path)!r} cannot be read as safetensors ({error}). Save or copy it again."
        ) from error
    for name, tensor in tensors.items():
        if bad := int((~tensor.isfinite()).sum()):
            raise ModelError(
                f"Tensor {name!r} in {str(path)!r} has {bad} of {tensor.numel()} values that are "
                "NaN or infinite. Train the model again, or use an earlier checkpoint."
            )
    return tensors


def fill(module: nn.Module, tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Make `tensors` the parameters of a module, in the precision they come in.

    Raises ModelError, naming `folder`, if one is missing, superfluous, or has another shape.
    """
    path = str(folder / WEIGHTS)
    expected = module.state_dict()
    for what, names in (
        ("lacks", sorted(expected.keys() - tensors.keys())),
        ("has the unknown", sorted(tensors.keys() - expected.keys())),
    ):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ModelError(
                f"{path!r} {what} tensor {names[0]!r}{more}. A {type(module).__name__} has "
                f"{len(expected)} tensors."
            )
    for name, tensor in tensors.items():
        found, wanted = tuple(tensor.shape), tuple(expected[name].shape)
        if found != wanted or not tensor.is_floating_point():
            raise ModelError(
                f"Tensor {name!r} in {path!r} is {found} {_dtype(tensor)}; {CONFIG} asks for "
                f"{wanted} and floating point. Correct one of the two."
            )
    module.load_state_dict(tensors, assign=True)


def save(folder: Path, module: nn.Module, config: BaseModel) -> None:
    """Write a model's folder, whole or not at all.

    Raises ConflictError if there is something in `folder` already.
    """
    with whole_folder(folder) as part:
        tensors = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
        save_file(tensors, part / WEIGHTS)
        text = config.model_dump_json(indent=1) + "\n"
        (part / CONFIG).write_text(text, encoding="utf-8")


def _file(folder: Path, name: str) -> Path:
    """Return the path of a file of a model; raise ModelError if it is not there."""
    if not folder.is_dir():
        raise ModelError(
            f"There is no model folder {str(folder)!r}. Give a folder with {WEIGHTS} and {CONFIG}."
        )
    if (folder / "manifest.json").is_file():
        raise ModelError(
            f"{str(folder)!r} is a run folder, not a model. Name the model that it was built from, "
            f"or load the run: 'lib-graph ingest {shlex.quote(str(folder))}'."
        )
    if not (folder / name).is_file():
        raise ModelError(f"{str(folder)!r} has no {name}. A model needs {WEIGHTS} and {CONFIG}.")
    return folder / name


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
