"""The processes that share the data of a build, as torchrun starts them, or one alone."""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from lib_graph.errors import UsageError
from lib_graph.support.devices import CPU

__all__ = ["ALONE", "World", "joined"]


@dataclass(frozen=True)
class World:
    """`size` processes, of which this is number `rank`; tensors travel on `device`."""

    rank: int = 0
    size: int = 1
    device: torch.device = CPU

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def gathered(self, tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """Return what every process gave, in the order of their ranks; shapes are the same in all.

        >>> ALONE.gathered({"x": torch.ones(1)})
        [{'x': tensor([1.])}]
        """
        found: list[dict[str, Tensor]] = [{} for _ in range(self.size)]
        for name in sorted(tensors):
            own = tensors[name]
            there = [own]
            if self.size > 1:
                sent = own.to(self.device).contiguous()
                there = [torch.empty_like(sent) for _ in range(self.size)]
                distributed.all_gather(there, sent)
            for rank, tensor in enumerate(there):
                found[rank][name] = tensor.to(own.device)
        return found

    def from_first(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what the first process gave; names, types and numbers of axes are the same in all.

        So all go on with the same bits, also where their machines round differently.
        """
        if self.size == 1:
            return dict(tensors)
        found = {}
        for name in sorted(tensors):
            own = tensors[name].to(self.device).contiguous()
            shape = torch.tensor(own.shape, device=self.device)
            distributed.broadcast(shape, 0)
            sent = own if self.first else own.new_empty(shape.tolist())
            distributed.broadcast(sent, 0)
            found[name] = sent.to(tensors[name].device)
        return found

    def wait(self) -> None:
        """Return when all processes have come here."""
        if self.size > 1:
            distributed.barrier()


ALONE = World()


def joined(device: torch.device) -> World:
    """Return the processes that torchrun has started, or this one alone where it has not.

    They stay joined until they end: to part and join again can hang. Raises UsageError for a device
    between whose processes nothing can be sent.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ALONE
    if device.type == "mps":
        raise UsageError("torchrun and --device mps do not go together. Take --device cpu.")
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(distributed.destroy_process_group)
    return World(distributed.get_rank(), size, device)
