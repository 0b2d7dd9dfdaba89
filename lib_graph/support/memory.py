"""How much memory a computation takes, found by watching it on a few samples."""

from __future__ import annotations

import re
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._pytree import tree_leaves

from lib_graph.errors import UsageError
from lib_graph.support.watching import Watching

__all__ = ["format_bytes", "highest_bytes", "parse_bytes", "peak_bytes", "resident_bytes"]

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_bytes(text: str) -> int:
    """Return a number of bytes written as `500M`, `2GiB` or `1.5G` (units of 1024).

    Raises UsageError if the text is no size.

    >>> parse_bytes("2GiB"), parse_bytes("0.5M")
    (2147483648, 524288)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if not match:
        raise UsageError(f"{text!r} is not a memory size. Write for example 500M or 4G.")
    return int(float(match[1]) * UNITS[match[2].upper()])


def format_bytes(size: float) -> str:
    """Return a number of bytes for people.

    >>> format_bytes(3 << 29), format_bytes(1010 << 20)
    ('1.5 GiB', '1010 MiB')
    """
    unit = "B"
    for larger in ("KiB", "MiB", "GiB"):
        if size >= 1024:
            size, unit = size / 1024, larger
    return f"{size:.0f} {unit}" if size >= 1000 else f"{size:.3g} {unit}"


class _Watch(Watching):
    """Counts the bytes of all tensors that operations make, as long as they are alive."""

    def __init__(self) -> None:
        super().__init__()
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak: int = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self._alive = {k: v for k, v in self._alive.items() if not v[0].expired()}
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                storage = leaf.untyped_storage()
                reference = StorageWeakRef(storage)
                self._alive[reference.cdata] = (reference, storage.nbytes())
        self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        return result


def peak_bytes(computation: Callable[[], object]) -> int:
    """Return the largest number of bytes that tensors made by a computation hold at one time.

    Workspace inside single operations is not seen.

    >>> peak_bytes(lambda: torch.ones(1000, dtype=torch.float64) * 2)
    16000
    """
    with _Watch() as watch:
        computation()
    peak: int = watch.peak
    return peak


def highest_bytes() -> int:
    """Return the most memory that this process has taken so far.

    Linux passes on what getrusage says to the programs that a process starts, so that a small one
    seems as large as its parent; what /proc says is its own.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        status = ""
    if found := re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE):
        return int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def resident_bytes() -> int:
    """Return the memory that this process takes now; the most so far where that is not known."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except FileNotFoundError:
        return highest_bytes()
    return int(pages) * resource.getpagesize()
