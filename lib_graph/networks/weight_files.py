"""The files that hold the weights of a model of transformers, read as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from lib_graph.networks.checkpoint import read_json

__all__ = ["PICKLED", "SAFE", "WeightFiles"]

SAFE, PICKLED = "model*.safetensors", "pytorch_model*.bin"
WHOLE = {True: "model.safetensors", False: "pytorch_model.bin"}


class WeightFiles:
    """The weights in a folder: safetensors, or else tensors alone out of PyTorch's own format."""

    def __init__(self, folder: Path) -> None:
        self.safe = any(folder.glob(SAFE)) or not any(folder.glob(PICKLED))
        self.paths = _paths(folder, WHOLE[self.safe])
        self.dtypes = {name: x.dtype for name, x in self._tensors(meta=True)}

    @property
    def finest(self) -> torch.dtype:
        """The precision that holds every floating-point tensor of the files without rounding."""
        floating = [dtype for dtype in self.dtypes.values() if dtype.is_floating_point]
        return reduce(torch.promote_types, floating) if floating else torch.float32

    @property
    def precisions(self) -> dict[str, int]:
        """How many tensors there are of each precision, the most frequent first."""
        names = [str(dtype).removeprefix("torch.") for dtype in self.dtypes.values()]
        return {name: names.count(name) for name in sorted(set(names), key=names.count)[::-1]}

    def __iter__(self) -> Iterator[tuple[str, Tensor]]:
        """Yield every tensor, one at a time."""
        return self._tensors(meta=False)

    def _tensors(self, *, meta: bool) -> Iterator[tuple[str, Tensor]]:
        for path in self.paths:
            yield from _safe(path, meta) if self.safe else _of_torch(path, meta)


def _paths(folder: Path, whole: str) -> list[Path]:
    """Return the files of a model, as transformers chooses them: one, or those of an index."""
    index = folder / f"{whole}.index.json"
    if (folder / whole).is_file() or not index.is_file():
        return [folder / whole]
    named: Mapping[str, Any] = read_json(folder, index.name).get("weight_map", {})
    return [folder / name for name in sorted(set(map(str, named.values())))]


def _safe(path: Path, meta: bool) -> Iterator[tuple[str, Tensor]]:
    with safe_open(path, "pt") as file:
        for name in file.keys():  # noqa: SIM118  it is no mapping
            found: Tensor = file.get_tensor(name)
            yield name, found.to("meta") if meta else found


def _of_torch(path: Path, meta: bool) -> Iterator[tuple[str, Tensor]]:
    tensors = torch.load(path, "meta" if meta else "cpu", weights_only=True)
    yield from ((name, x) for name, x in tensors.items() if isinstance(x, Tensor))
