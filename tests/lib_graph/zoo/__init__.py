"""Small random networks of many families, each against the tests' own oracle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

import lib_graph
from tests.lib_graph.oracle import Case, differences

__all__ = ["Case", "check", "filled", "numbers"]

TOLERANCE = 1e-9  # of the largest entry of a table


def filled(module: nn.Module, seed: int = 0, scale: float = 0.5) -> nn.Module:
    """Fill all parameters with random numbers, in the precision that they have."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            numbers = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            if parameter.is_complex():
                other = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                numbers = torch.complex(numbers, other)
            parameter.copy_(scale * numbers + 0.1)
    return module


def numbers(*shape: int, seed: int = 1) -> Tensor:
    """Return random numbers, in float32 as people's data are."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def check(
    case: Case,
    out: Path,
    options: lib_graph.Options | None = None,
    subject: Callable[[lib_graph.Subject], lib_graph.Subject] = lambda subject: subject,
) -> lib_graph.Run:
    """Build the run of a case, hold every number of it against the oracle, and return it."""
    made = subject(lib_graph.Subject.of(case.make(), case.data, case.named))
    run = lib_graph.build(made, out, options or lib_graph.Options())
    far = differences(case, out)
    assert far
    wrong = {name: f"{error:.1e}" for name, error in far.items() if not error < TOLERANCE}
    assert not wrong, wrong
    return run
