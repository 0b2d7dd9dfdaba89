"""Files that may hold dictionaries, read as data: no pickle is run, and sizes are bounded."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors import safe_open
from torch import Tensor

from lib_graph.errors import RunError, UsageError

__all__ = ["WEIGHTS", "Files"]

WEIGHTS = (".safetensors", ".pt", ".pth", ".npz")
CONFIG_BYTES = 16 << 20  # of a configuration: those that circulate have a few thousand
LEAST = 1 << 30  # bytes that an archive may hold whatever its own size
EXPANSION = 50  # times its own size that an archive may hold beyond that


@dataclass(frozen=True)
class Files:
    """A folder, or one file of weights in it, with what lies beside.

    `settings` are what a person said of the format, beyond its name. What has been loaded is kept.
    """

    place: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    loaded: dict[Path, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    @property
    def folder(self) -> Path:
        """The folder in which the files are."""
        return self.place if self.place.is_dir() else self.place.parent

    def path(self, *names: str) -> Path | None:
        """Return the first of the named files that is there and may be meant, else None.

        Where one file of weights was named, no other one is meant.
        """
        for name in names:
            path = self.folder / name
            chosen = self.place.is_dir() or path.suffix not in WEIGHTS
            if path.is_file() and (chosen or path == self.place):
                return path
        return None

    def weights(self) -> Path | None:
        """Return the only file of weights: the one that was named, or the only one there is."""
        if not self.place.is_dir():
            return self.place if self.place.suffix in WEIGHTS else None
        found = [path for path in sorted(self.folder.iterdir()) if path.suffix in WEIGHTS]
        return found[0] if len(found) == 1 and found[0].is_file() else None

    def config(self, *names: str) -> dict[str, Any] | None:
        """Return what the first of these JSON or YAML files says; None where there is none.

        Raises RunError if it cannot be read.
        """
        path = self.path(*names)
        return None if path is None else _config(path)

    def tensors(self, path: Path) -> Mapping[str, Any]:
        """Return all tensors of a file of weights, and what else is in it, by name.

        Raises RunError if it cannot be read.
        """
        if path not in self.loaded:
            self.loaded[path] = _tensors(path)
        return self.loaded[path]

    def names(self, path: Path) -> set[str]:
        """Return the names of what is in a file of weights.

        Raises RunError if it cannot be read.
        """
        if path.suffix != ".safetensors" or path in self.loaded:
            return set(self.tensors(path))
        with _reading(path), safe_open(path, framework="pt") as file:
            return set(file.keys())

    def number(self, name: str) -> float | None:
        """Return a setting that is a number above 0; None where it was not given.

        Raises UsageError if it is none.
        """
        if name not in self.settings:
            return None
        text = self.settings[name]
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            raise UsageError(f"{name}={text} in --format is no number above 0.")
        return value


class _reading:  # noqa: N801  it is used like a function
    """Say in one line that a file cannot be read: raises RunError in place of others' errors."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, RunError) or not isinstance(error, Exception):
            return
        text = " ".join(str(error).split()) or type(error).__name__
        kind = "safetensors" if self.path.suffix == ".safetensors" else "weights alone"
        if self.path.suffix in (".json", ".yaml"):
            kind = "JSON" if self.path.suffix == ".json" else "YAML"
        raise RunError(
            f"{str(self.path)!r} cannot be read as {kind} ({text:.200}). Nothing of it was run. "
            "Copy or save it again."
        ) from error


def _config(path: Path) -> dict[str, Any]:
    with _reading(path):
        if path.stat().st_size > CONFIG_BYTES:
            raise ValueError(f"it has {path.stat().st_size} bytes")
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
        if not isinstance(found, dict):
            raise ValueError("it holds no object")
    return {str(key): value for key, value in found.items()}


def _tensors(path: Path) -> Mapping[str, Any]:
    with _reading(path):
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if zipfile.is_zipfile(path):
            _check_archive(path)
        if path.suffix == ".npz":
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                return {name: torch.from_numpy(np.array(archive[name])) for name in archive}
        found = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(found, dict):
            raise ValueError("it holds no dict of tensors")
        for value in found.values():
            if isinstance(value, Tensor):
                _check_size(value)
        return {str(name): value for name, value in found.items()}


def _check_archive(path: Path) -> None:
    """Raise ValueError where an archive would be out of all proportion when unpacked."""
    with zipfile.ZipFile(path) as archive:
        whole = sum(each.file_size for each in archive.infolist())
    if whole > max(LEAST, EXPANSION * path.stat().st_size):
        raise ValueError(f"it would unpack to {whole} bytes")


def _check_size(tensor: Tensor) -> None:
    """Raise ValueError for a view of more numbers than are stored."""
    if tensor.layout != torch.strided or (
        tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes()
    ):
        raise ValueError("a tensor in it is larger than what is stored")
