"""How a card multiplies numbers of float32: in full, or on request in TF32 (docs/method.md §5)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

import torch

from lib_graph.errors import UsageError

__all__ = ["check_tf32", "products"]

FIRST_WITH_TF32 = (8, 0)  # compute capability
LOCK = Lock()
_ASKING: list[tuple[list[bool], list[tuple[Any, str, object]]]] = []
"""What each that asks wishes, and what was set before the first of them"""


@contextmanager
def products(*, tf32: bool) -> Iterator[None]:
    """Let a card take float32 in full, or in products and convolutions 10 bits of it, for a while.

    Left alone, torch takes TF32 for convolutions, though not for products. The switches are of the
    process, so of several that ask, in threads too, the last one counts; what was set comes back
    when the last of them has left.
    """
    wish = [tf32]  # told apart from others by what it is, not by its value
    with LOCK:
        before = _ASKING[0][1] if _ASKING else _as_set()
        _ASKING.append((wish, before))
        _switch(before, tf32=tf32)
    try:
        yield
    finally:
        with LOCK:
            _ASKING[:] = [asking for asking in _ASKING if asking[0] is not wish]
            if _ASKING:
                _switch(before, tf32=_ASKING[-1][0][0])
            else:
                for place, name, value in before:
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


def _switches() -> list[tuple[Any, str]]:
    """Return where torch keeps this: older switches, and from torch 2.9 on one of each operation.

    The older ones come first: they are an error to read where the others were set alone.
    """
    backends: Any = torch.backends
    matmul, cudnn = backends.cuda.matmul, backends.cudnn
    older = [(cudnn, "allow_tf32"), (matmul, "allow_tf32")]
    if not hasattr(cudnn, "conv"):
        return older
    return older + [(place, "fp32_precision") for place in (matmul, cudnn.conv, cudnn.rnn)]


def _as_set() -> list[tuple[Any, str, object]]:
    """Return the switches and what they are set to; what cannot be read is left alone."""
    found: list[tuple[Any, str, object]] = []
    for place, name in _switches():
        with suppress(RuntimeError):
            found.append((place, name, getattr(place, name)))
    return found


def _switch(switches: list[tuple[Any, str, object]], *, tf32: bool) -> None:
    values = {"allow_tf32": tf32, "fp32_precision": "tf32" if tf32 else "ieee"}
    for place, name, _ in switches:
        setattr(place, name, values[name])
