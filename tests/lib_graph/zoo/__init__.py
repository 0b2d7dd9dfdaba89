"""Small random networks of many families, each against the tests' own oracle.

A file of tests has a `Zoo`; the function that makes a network is its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lib_graph
from tests.lib_graph.deviations import differences
from tests.lib_graph.oracle import Case

__all__ = ["CHAIN", "Case", "Two", "Zoo", "check", "filled", "numbers", "with_statistics"]

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


CHAIN = {"a": "first:in", "b": "last:in", "out": "output"}


class Two(nn.Module):
    """Two linear maps with something between."""

    def __init__(self, d: int = 4, h: int = 5, e: int = 2) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(d, h), nn.Linear(h, e)

    def between(self, x: Tensor) -> Any:
        """Return what is between them."""
        return torch.tanh(x)

    def forward(self, x: Any) -> Any:
        return self.last(self.between(self.first(x)))


def with_statistics(module: nn.Module) -> nn.Module:
    """Fill the averages of batch norms with random numbers."""
    generator = torch.Generator().manual_seed(9)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d):
            part.running_mean.normal_(generator=generator)
            part.running_var.uniform_(0.5, 2, generator=generator)
    return module


@dataclass
class Zoo:
    """Networks by the names of the functions that make them."""

    cases: dict[str, Case] = field(default_factory=dict)
    options: dict[str, lib_graph.Options] = field(default_factory=dict)

    def takes(
        self, data: Any, layers: Any, *, options: lib_graph.Options | None = None, **case: Any
    ) -> Callable[[Callable[[], nn.Module]], Callable[[], nn.Module]]:
        """Take in what a function makes, its parameters filled with random numbers."""

        def take(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
            def made() -> nn.Module:
                torch.manual_seed(0)
                return filled(make())

            self.cases[make.__name__] = Case(made, data, layers, **case)
            if options is not None:
                self.options[make.__name__] = options
            return make

        return take

    def names(self, *quick: str) -> list[Any]:
        """Return the names as parameters of a test, slow but for the quick ones."""
        marked = (n if n in quick else pytest.param(n, marks=pytest.mark.slow) for n in self.cases)
        return list(marked)

    def check(self, name: str, out: Path) -> lib_graph.Run:
        """Hold every number of the run of one network against the oracle, and return the run."""
        return check(self.cases[name], out, self.options.get(name))


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
