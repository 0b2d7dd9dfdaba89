"""What all trainings share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["endless_batches", "one_thread"]


def endless_batches(rows: Tensor, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield minibatches without end; each pass over the data is in a new random order."""
    while True:
        yield from rows[torch.randperm(len(rows), generator=generator)].split(batch_size)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread, where the same sums come out each time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
