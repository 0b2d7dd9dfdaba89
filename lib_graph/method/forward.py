"""Directional derivatives, and what backward mode brings back."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.method.network import Batch, Section
from lib_graph.method.rules import Rule

__all__ = ["derivative", "pulled_back", "pulling_back", "push_forward", "quietly"]


def push_forward(
    section: Section, batch: Batch, tangents: Float[Tensor, "c n s d"], rule: Rule
) -> Float[Tensor, "c n t e"]:
    """Return the derivative of a section along each tangent, averaged along the path of a rule."""
    f = batch.activations[section.source.index]
    total = torch.zeros((), dtype=f.dtype, device=f.device)
    for alpha, weight in zip(rule.nodes, rule.weights, strict=True):
        total = total + weight * _along_each(section, batch, alpha * f, tangents, alpha)
    return total


def _along_each(
    section: Section, batch: Batch, at: Tensor, tangents: Tensor, alpha: float
) -> Tensor:
    biases = section.scaled_biases(alpha)

    def moved(z: Tensor) -> Tensor:
        return section(z, batch.constants, biases)

    with quietly():
        return torch.func.vmap(lambda tangent: derivative(moved, (at,), (tangent,)))(tangents)


@contextmanager
def quietly() -> Iterator[None]:
    """Leave unsaid which operations torch takes one by one when it is given many."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There is a performance drop", UserWarning)
        yield


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


def pulled_back(function: Callable[[Tensor], Tensor], at: Tensor, seed: Tensor) -> Tensor:
    """Return Jᵀ of a function on a seed, by backward mode.

    `torch.func.vjp` does as much, once it has loaded torch's compiler.

    >>> pulled_back(lambda x: x**2, torch.tensor(3.0), torch.tensor(1.0))
    tensor(6.)
    """
    return pulling_back(function, at)(seed)


def pulling_back(function: Callable[[Tensor], Tensor], at: Tensor) -> Callable[[Tensor], Tensor]:
    """Return seed ↦ Jᵀ of a function on it, as `pulled_back`: the function runs once for all seeds.

    >>> back = pulling_back(lambda x: x**2, torch.tensor([3.0, 4.0]))
    >>> back(torch.tensor([1.0, 0.0])), back(torch.tensor([0.0, 1.0]))
    (tensor([6., 0.]), tensor([0., 8.]))
    """
    start = at.detach().requires_grad_()
    with torch.enable_grad():
        result = function(start)

    def back(seed: Tensor) -> Tensor:
        if not result.requires_grad:  # it does not depend on where it starts
            return torch.zeros_like(at)
        (found,) = torch.autograd.grad(
            result, start, seed, retain_graph=True, materialize_grads=True
        )
        return found

    return back


@cache
def _prepare() -> None:
    """Take the first derivative quietly: it loads parts of torch that warn of other parts."""
    one = (torch.ones(()),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.func.jvp(torch.sin, one, one)
