"""Directional derivatives."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

__all__ = ["derivative"]


def derivative(
    function: Callable[..., Tensor], at: tuple[Tensor, ...], along: tuple[Tensor, ...]
) -> Tensor:
    """Return the derivative of a function along a direction, by forward mode.

    >>> derivative(lambda x: x**2, (torch.tensor(3.0),), (torch.tensor(1.0),))
    tensor(6.)
    """
    _prepare()
    result: Tensor = torch.func.jvp(function, at, along)[1]
    return result


@cache
def _prepare() -> None:
    """Take the first derivative quietly: it loads parts of torch that warn of other parts."""
    one = (torch.ones(()),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.func.jvp(torch.sin, one, one)
