"""Where a build computes, and in what precision it sums."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from lib_graph.errors import UsageError

__all__ = ["CPU", "DEVICES", "find_device", "wide"]

DEVICES = ("cpu", "cuda", "mps")
CPU = torch.device("cpu")


def find_device(name: str, dtype: torch.dtype) -> torch.device:
    """Return the device of a name; of several GPUs the one of this process (LOCAL_RANK).

    Raises UsageError if it is not on this machine, or cannot compute in `dtype`.

    >>> find_device("cpu", torch.float64)
    device(type='cpu')
    """
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(name, False):
        usable = ", ".join(device for device, is_there in there.items() if is_there)
        raise UsageError(f"There is no device {name!r} on this machine. Take one of: {usable}.")
    if name == "mps" and dtype == torch.float64:
        raise UsageError("Device 'mps' has no float64. Take --dtype float32, or --device cpu.")
    if name == "cuda":
        return torch.device(name, int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device(name)


def wide(x: Tensor) -> Tensor:
    """Return a tensor in float64, on the CPU where its device has no float64."""
    return (x.cpu() if x.device.type == "mps" else x).double()
