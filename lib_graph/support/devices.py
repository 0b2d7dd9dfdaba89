"""Where a build computes: on the processor, or on an accelerator."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from lib_graph.errors import NotFoundError, UsageError

__all__ = [
    "CPU",
    "DEVICES",
    "device_named",
    "devices_here",
    "exact",
    "free_bytes",
    "on_card",
    "sums_on",
    "temporary",
]

DEVICES = ("cpu", "cuda", "mps")
CPU = torch.device("cpu")
FREE = 0.8  # of the memory of a card that nothing has taken
ON_CARD = 1 << 26  # numbers of a temporary on a card: half a gigabyte in float64


def device_named(name: str, dtype: torch.dtype) -> torch.device:
    """Return a device by its name: cpu, cuda, cuda:1 or mps.

    Several processes on one host take a `cuda` device each, by LOCAL_RANK. Raises UsageError if
    there is no such device here, or if it cannot compute in `dtype`.

    >>> device_named("cpu", torch.float64)
    device(type='cpu')
    """
    kind, _, index = name.partition(":")
    if kind not in DEVICES or (index and not index.isdecimal()):
        raise NotFoundError("device", name, DEVICES, f"Choose one of {', '.join(DEVICES)}.")
    if kind == "mps" and dtype == torch.float64:
        raise UsageError("The device 'mps' has no float64. Add --dtype float32.")
    place = int(index or os.environ.get("LOCAL_RANK", "0")) if kind == "cuda" else 0
    there = {
        "cpu": 1,
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }[kind]
    if place >= there:
        raise UsageError(
            f"There is no device {kind}:{place} here (PyTorch finds {there}). Use --device cpu."
        )
    return torch.device("cuda", place) if kind == "cuda" else torch.device(kind)


def devices_here() -> list[str]:
    """Return what `device_named` takes here, the processor first, with the names of GPUs.

    >>> devices_here()[0]
    'cpu'
    """
    cuda = [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    return ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]


def on_card(device: torch.device) -> bool:
    """Return whether a device has a memory of its own, and no small caches to fit."""
    return device.type != "cpu"


def free_bytes(device: torch.device) -> int:
    """Return what may be taken of a card's memory where nobody says: FREE of what is free."""
    if device.type == "mps":
        return int(FREE * torch.mps.recommended_max_memory())
    return int(FREE * torch.cuda.mem_get_info(device)[0])


def temporary(like: Tensor, cached: int) -> int:
    """Return how many numbers a temporary may have beside a tensor.

    On a processor it is what stays in the caches; on a card, which is fast with large ones alone,
    it is the same for all.

    >>> temporary(torch.ones(1), 1 << 18)
    262144
    """
    return max(cached, ON_CARD) if on_card(like.device) else cached


def sums_on(device: torch.device) -> torch.device:
    """Return where float64 sums of what is on a device are kept: there, if it has float64."""
    return CPU if device.type == "mps" else device


def exact(values: Tensor) -> Tensor:
    """Return numbers in float64: on their device, or on the processor if it has no float64."""
    return values.to(sums_on(values.device)).double()
