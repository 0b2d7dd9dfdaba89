"""How a card multiplies numbers of float32: in full, or on request in TF32 (docs/method.md §5)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any

import torch

from lib_graph.errors import UsageError

__all__ = ["check_tf32", "products"]

FIRST_WITH_TF32 = (8, 0)  # compute capability
Switches = list[tuple[Any, str, object]]
"""Where torch keeps this, under which name, and a value"""


@dataclass(frozen=True, eq=False)
class _Asking:
    """One that wants it so, and what was set before the first of those that ask now."""

    tf32: bool
    before: Switches


_LOCK = Lock()
_ASKING: list[_Asking] = []


@contextmanager
def products(*, tf32: bool) -> Iterator[None]:
    """Let a card take float32 in full, or in products and convolutions 10 bits of it, for a while.

    Left alone, torch takes TF32 for convolutions, though not for products. The switches are of the
    process, so of several that ask, in threads too, the last one counts; what was set comes back
    when the last of them has left.
    """
    with _LOCK:
        own = _Asking(tf32, _ASKING[0].before if _ASKING else _as_set())
        _ASKING.append(own)
        _switch(own.before, tf32=tf32)
    try:
        yield
    finally:
        with _LOCK:
            _ASKING.remove(own)
            if _ASKING:
                _switch(own.before, tf32=_ASKING[-1].tf32)
            else:
                for place, name, value in own.before:
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


def _as_set() -> Switches:
    """Return the switches and what they are set to; what cannot be read is left alone."""
    found: Switches = []
    for place, name in _switches():
        with suppress(RuntimeError):
            found.append((place, name, getattr(place, name)))
    return found


def _switch(switches: Switches, *, tf32: bool) -> None:
    values = {"allow_tf32": tf32, "fp32_precision": "tf32" if tf32 else "ieee"}
    for place, name, _ in switches:
        setattr(place, name, values[name])
