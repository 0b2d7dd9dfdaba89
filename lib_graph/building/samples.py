"""The data as batches of activations, kept in memory or on disk between passes."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

import torch
from jaxtyping import Bool, Int
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from lib_graph.building.plan import Plan
from lib_graph.errors import UsageError
from lib_graph.method.network import Batch, Network
from lib_graph.support.devices import CPU

__all__ = ["LOOK", "Samples", "in_random_order"]

LOOK = 32  # samples from one place where a pass may end early to the next


def in_random_order(count: int) -> Int[Tensor, " n"]:
    """Return the numbers of samples in the order in which those of a part of the data are taken.

    It is the same each time.
    """
    return torch.randperm(count, generator=torch.Generator().manual_seed(0))


@dataclass
class Samples:
    """The data as batches, computed when they are first asked for, and kept as the plan says.

    `folder` is for batches on disk. Without `last`, what is kept leaves out the values of the last
    layer, which may be as wide as a vocabulary, and where no section starts: they are there when a
    batch is computed, and NaN afterwards.
    """

    network: Network
    inputs: Sequence[Tensor]
    plan: Plan
    counted: Bool[Tensor, "n s"] | None = None
    device: torch.device = CPU
    folder: Path | None = None
    last: bool = True
    _kept: dict[int, Batch] = field(default_factory=dict)

    def __len__(self) -> int:
        """The number of batches."""
        return -(-len(self.inputs[0]) // self.plan.batch)

    def __iter__(self) -> Iterator[Batch]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Batch:
        """Return a batch, on the device of the network."""
        if number not in self._kept:
            batch = self._computed(number)
            if self.plan.keep == "nowhere":
                return batch
            stored = self._stored(number, list(batch.activations)[: None if self.last else -1])
            last = batch.activations[-1]
            activations = _Activations(stored, len(batch.activations), last.shape, self.device)
            self._kept[number] = replace(batch, activations=activations)
            return batch
        return self._kept[number]

    def _computed(self, number: int) -> Batch:
        start = number * self.plan.batch
        here = slice(start, start + self.plan.batch)
        batch = self.network.run(*(x[here].to(self.device) for x in self.inputs))
        counted = None if self.counted is None else self.counted[here].to(self.device)
        return replace(batch, counted=counted, start=start)

    def _stored(self, number: int, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        if self.plan.keep == "card":
            return tensors
        tensors = [tensor.to(CPU).contiguous() for tensor in tensors]
        if self.plan.keep == "memory":
            return tensors
        assert self.folder is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{number}.safetensors"
        path.write_bytes(save({str(i): tensor for i, tensor in enumerate(tensors)}))
        return _OnDisk(path, len(tensors))

    def chosen(self, which: Int[Tensor, " m"], processes: int, *, looks: bool) -> Samples:
        """Return some of the samples, in the given order, with a batch for each process at least.

        With `looks`, batches end where a pass may end early, however much memory there is. Raises
        UsageError if there are fewer samples than processes.
        """
        if len(which) < processes:
            raise UsageError(
                f"{processes} processes cannot share so few samples ({len(which)}). Take more."
            )
        batch = min(self.plan.batch, len(which) // processes)
        if looks:
            batch = min(batch, max(LOOK // processes, 1))
        return replace(
            self,
            inputs=[x[which] for x in self.inputs],
            plan=replace(self.plan, batch=batch),
            counted=None if self.counted is None else self.counted[which],
            folder=self.folder and self.folder.with_name(f"{self.folder.name}-chosen"),
            _kept={},
        )

    def close(self) -> None:
        """Forget what was kept, and remove its files."""
        self._kept.clear()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


class _Layers(Sequence[Tensor], ABC):
    """Tensors by layer, each made when it is asked for."""

    @abstractmethod
    def at(self, layer: int) -> Tensor:
        """Return the tensor of a layer."""

    @overload
    def __getitem__(self, layer: int) -> Tensor: ...
    @overload
    def __getitem__(self, layer: slice) -> list[Tensor]: ...
    def __getitem__(self, layer: int | slice) -> Tensor | list[Tensor]:
        found = range(len(self))[layer]
        return self.at(found) if isinstance(found, int) else [self.at(i) for i in found]


@dataclass(frozen=True)
class _OnDisk(_Layers):
    """Tensors in a file."""

    path: Path
    layers: int

    def __len__(self) -> int:
        return self.layers

    def at(self, layer: int) -> Tensor:
        with safe_open(self.path, framework="pt") as file:
            tensor: Tensor = file.get_tensor(str(layer))
        return tensor


@dataclass(frozen=True)
class _Activations(_Layers):
    """Stored activations on a device; of the last of so many layers maybe only the shape."""

    stored: Sequence[Tensor]
    layers: int
    last: torch.Size
    device: torch.device

    def __len__(self) -> int:
        return self.layers

    def at(self, layer: int) -> Tensor:
        if layer < len(self.stored):
            return self.stored[layer].to(self.device)
        return torch.full((), torch.nan, device=self.device).expand(self.last)
