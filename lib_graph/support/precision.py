"""How a card multiplies numbers of float32: in full, or on request in TF32 (docs/method.md §5)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from lib_graph.errors import UsageError

__all__ = ["check_tf32", "products"]

FIRST_WITH_TF32 = (8, 0)  # compute capability


@contextmanager
def products(*, tf32: bool) -> Iterator[None]:
    """Let a card take float32 in full, or in products and convolutions 10 bits of it, for a while.

    Left alone, torch takes TF32 for convolutions, though not for products. What was set comes back.
    """
    switches = _switches()
    before = [getattr(place, name) for place, name, _ in switches]
    for place, name, values in switches:
        setattr(place, name, values[tf32])
    try:
        yield
    finally:
        for (place, name, _), value in zip(switches, before, strict=True):
            setattr(place, name, value)


def check_tf32(device: torch.device) -> None:
    """Raise UsageError if a device has no TF32."""
    if device.type != "cuda":
        raise UsageError(
            f"tf32 is a precision of CUDA cards, and the device is {str(device)!r}. Leave it out, "
            "or add --device cuda."
        )
    capability = torch.cuda.get_device_capability(device)
    if capability < FIRST_WITH_TF32:
        raise UsageError(
            f"{torch.cuda.get_device_name(device)} has no TF32: its compute capability is "
            f"{capability[0]}.{capability[1]}, and the first that has it is 8.0. Leave tf32 out."
        )


def _switches() -> list[tuple[Any, str, tuple[object, object]]]:
    """Return where torch keeps this, and the values for all bits and for TF32.

    From torch 2.9 on each operation has its own; whoever set the older ones can read them after.
    """
    backends: Any = torch.backends
    matmul, cudnn = backends.cuda.matmul, backends.cudnn
    if not hasattr(cudnn, "conv"):
        return [(place, "allow_tf32", (False, True)) for place in (matmul, cudnn)]
    values = ("ieee", "tf32")
    return [(place, "fp32_precision", values) for place in (matmul, cudnn.conv, cudnn.rnn)]
