"""Autograd functions of a module whose backward is not the derivative of their forward.

Straight-through estimators, surrogate gradients and gradient reversal say themselves what their
derivative is, and torch's autograd believes them. A graph of operations knows their forward alone.
So each function is tried out: where its backward is the derivative of its forward, its operations
are followed; where it is not, it stays one operation, and its backward is its derivative in both
modes (docs/method.md §1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from lib_graph.cutting.arguments import mapped, tensors
from lib_graph.cutting.function_use import USES, Function, Use, is_number, own
from lib_graph.errors import ModelError, UntraceableError

__all__ = ["OwnDerivatives", "counted", "in_graph"]

CLOSE = 1e-4  # of the largest entry: what float32 can differ by


@dataclass(frozen=True)
class OwnDerivatives:
    """The functions of a module that say themselves what their derivative is, with their names.

    `own` is filled while the module is `tried`, `uses` while it is `traced`.
    """

    own: dict[Function, str] = field(default_factory=dict)
    uses: dict[str, Use] = field(default_factory=dict)

    @contextmanager
    def tried(self) -> Iterator[None]:
        """Hold, while a module runs in the context, each function it uses against its backward.

        Raises ModelError if a function's backward is neither its derivative nor a linear map that
        can be taken in both modes.
        """

        def handle(function: Function, apply: Callable[..., Any], args: tuple[Any, ...]) -> Any:
            use, xs = _use_of(function, args)
            if function not in self.own and not _is_derivative(use, xs):
                _check_own(use, xs)
                self.own[function] = function.__name__
            return apply(*args)

        with _applied_by(handle):
            yield

    @contextmanager
    def traced(self) -> Iterator[None]:
        """Have functions that a module applies in the context come out as they are to be derived.

        Those with a derivative of their own become one operation, others their operations.
        """

        def handle(function: Function, _: Callable[..., Any], args: tuple[Any, ...]) -> Any:
            use, xs = _use_of(function, args)
            if function not in self.own:
                return use.forward(xs)[1]
            if any(isinstance(x, torch.SymInt | torch.SymFloat) for x in args):
                raise UntraceableError(f"{function.__name__} is given sizes of the data.")
            key = f"{function.__name__}-{id(self)}-{len(self.uses)}"
            USES[key] = self.uses[key] = use
            results = iter(own(xs, key))
            return mapped(use.forward(xs)[1], lambda _: next(results))

        with _applied_by(handle):
            yield

    def forget(self) -> None:
        """Let go of the uses that graphs were made of."""
        for key in self.uses:
            USES.pop(key, None)
        self.uses.clear()


@contextmanager
def counted() -> Iterator[Counter[Function]]:
    """Yield how often each function is applied, in the context, as `F.apply(…)`."""
    found: Counter[Function] = Counter()

    def handle(function: Function, apply: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        found[function] += 1
        return apply(*args)

    with _applied_by(handle):
        yield found


def in_graph(result: Tensor) -> Counter[Function]:
    """Return how often each function stands in the graph by which torch derives a tensor.

    >>> class Same(torch.autograd.Function):
    ...     forward = staticmethod(lambda ctx, x: x * 1)
    ...     backward = staticmethod(lambda ctx, slope: slope)
    >>> Same.__module__ = "mine"  # those of this package do not count
    >>> [*in_graph(Same.apply(torch.ones(1, requires_grad=True)) * 2).values()]
    [1]
    """
    found: Counter[Function] = Counter()
    seen, waiting = set(), [result.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting += [before for before, _ in node.next_functions]
        function = getattr(type(node), "_forward_cls", None)
        if function is not None and not _is_known(function):
            found[function] += 1
    return found


Handle = Callable[[Function, Callable[..., Any], "tuple[Any, ...]"], Any]


@contextmanager
def _applied_by(handle: Handle) -> Iterator[None]:
    """Have a function's `apply` handled, but for torch's own functions."""
    base: Any = torch.autograd.Function
    before = base.__dict__["apply"]

    def apply(cls: Function, *args: Any, **kwargs: Any) -> Any:
        original = before.__get__(None, cls)
        if _is_known(cls) or kwargs:
            return original(*args, **kwargs)
        return handle(cls, original, args)

    base.apply = classmethod(apply)
    try:
        yield
    finally:
        base.apply = before


def _is_known(function: Function) -> bool:
    """Return whether a function is torch's or our own."""
    return function.__module__.split(".")[0] in ("torch", "lib_graph")


def _use_of(function: Function, args: tuple[Any, ...]) -> tuple[Use, list[Tensor]]:
    return Use(function, args), [x for _, x in tensors(args)]


def _is_derivative(use: Use, xs: Sequence[Tensor]) -> bool:
    """Return whether the function's backward is the derivative of its forward, at `xs` and around.

    What agrees on some numbers alone, such as those of a gradient that is clipped, does not count.
    """
    if not _agree(use, xs):
        return False
    generator = torch.Generator().manual_seed(2)
    for scale in (0.1, 1.0, 10.0):
        others = [
            (scale * torch.randn(x.shape, generator=generator, dtype=torch.float64)).to(x)
            if is_number(x) else x
            for x in xs
        ]  # fmt: skip
        finite = all(bool(y.isfinite().all()) for y in use.results(others))
        if finite and not _agree(use, others):
            return False
    return True


def _agree(use: Use, xs: Sequence[Tensor]) -> bool:
    try:
        own = use.pulled([x.detach() for x in xs], _seeds(use, xs))
        plain = _derived(use, xs)
    except Exception:
        return False
    return all(
        torch.allclose(a, b, rtol=0, atol=CLOSE * float(b.abs().max().clamp_min(1e-30)))
        for a, b in zip(own, plain, strict=True)
    )


def _derived(use: Use, xs: Sequence[Tensor]) -> list[Tensor]:
    """Return what torch makes of the seeds on its way back through the forward's operations."""
    free = [x.detach().clone().requires_grad_(is_number(x)) for x in xs]
    with torch.enable_grad():
        results = use.results([x * 1 if x.requires_grad else x for x in free])
        total = sum(
            (y * seed).sum().real
            for y, seed in zip(results, _seeds(use, xs), strict=True)
            if y.requires_grad
        )
    if not isinstance(total, Tensor):
        return [torch.zeros_like(x) for x in xs]
    leaves = [x for x in free if x.requires_grad]
    found = iter(torch.autograd.grad(total, leaves, materialize_grads=True))
    return [next(found) if x.requires_grad else torch.zeros_like(x) for x in free]


def _seeds(use: Use, xs: Sequence[Tensor], seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    results = use.results([x.detach() for x in xs])
    return [
        torch.randn(y.shape, generator=generator, dtype=torch.float64).to(y)
        if is_number(y) else torch.zeros_like(y)
        for y in results
    ]  # fmt: skip


def _check_own(use: Use, xs: Sequence[Tensor]) -> None:
    """Raise ModelError unless the function's backward is linear, and gives both modes."""
    xs, name = [x.detach() for x in xs], use.function.__name__
    try:
        one, other = _seeds(use, xs), _seeds(use, xs, 1)
        both = [a + 2 * b for a, b in zip(one, other, strict=True)]
        first, second, third = (use.pulled(xs, seeds) for seeds in (one, other, both))
        linear = all(
            torch.allclose(a + 2 * b, c, rtol=CLOSE, atol=CLOSE * float(c.abs().max()))
            for a, b, c in zip(first, second, third, strict=True)
        )
        along = [torch.ones_like(x) if is_number(x) else x for x in xs]
        forth = sum((a * b).sum() for a, b in zip(use.pushed(xs, along), one, strict=True))
        back = sum((a * b).sum() for a, b in zip(first, along, strict=True) if is_number(a))
        agreeing = bool(torch.isclose(torch.as_tensor(forth), torch.as_tensor(back), rtol=CLOSE))
        reason = "is not linear" if not linear else "has no forward mode"
    except Exception as error:
        linear = agreeing = False
        reason = " ".join(f"fails ({error}".split())[:160] + ")"
    if not (linear and agreeing):
        raise ModelError(
            f"The autograd function {name!r} has a backward that is not the derivative of its "
            f"forward, and that {reason}: there is no derivative to take. Write its backward in "
            "torch's operations, linear in what it is given, or leave the function out."
        )
