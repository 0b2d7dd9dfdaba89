"""One use of an autograd function, as one operation with a derivative of both modes.

The tangent of a linear map v ↦ Jᵀv, along t, is J t (docs/method.md §1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from lib_graph.cutting.arguments import mapped, tensors

__all__ = ["USES", "Function", "Use", "is_number", "own", "use_named"]

Function: TypeAlias = type[torch.autograd.Function]


class _Context:
    """What a function's forward keeps for its backward."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.saved_tensors: tuple[Tensor | None, ...] = ()
        self.needs_input_grad = needs_input_grad

    def save_for_backward(self, *values: Tensor | None) -> None:
        self.saved_tensors = values

    def save_for_forward(self, *values: Tensor | None) -> None:
        pass

    def mark_non_differentiable(self, *values: Tensor) -> None:
        pass

    def mark_dirty(self, *values: Tensor) -> None:
        pass

    def set_materialize_grads(self, value: bool) -> None:
        pass


@dataclass(frozen=True)
class Use:
    """A function with its arguments, but for the tensors among them."""

    function: Function
    arguments: tuple[Any, ...]

    def forward(self, xs: Sequence[Tensor]) -> tuple[_Context, Any]:
        """Return what the function keeps, and its result."""
        values = iter(xs)
        args = mapped(self.arguments, lambda _: next(values))
        context = _Context(tuple(isinstance(x, Tensor) and is_number(x) for x in args))
        function: Any = self.function
        if function.setup_context is torch.autograd.Function.setup_context:
            return context, function.forward(context, *args)
        result = function.forward(*args)
        function.setup_context(context, args, result)
        return context, result

    def results(self, xs: Sequence[Tensor]) -> list[Tensor]:
        """Return the function's results, side by side, none of them a view of what it is given."""
        _, result = self.forward(xs)
        return [x.clone() for _, x in tensors(result)]

    def pulled(self, xs: Sequence[Tensor], seeds: Sequence[Tensor]) -> list[Tensor]:
        """Return Jᵀv: what the function's own backward makes of `seeds`, 0 where that is nothing.

        A backward that is fenced off from second derivatives is taken without the fence.
        """
        context, _ = self.forward(xs)
        backward: Any = self.function.backward
        found = getattr(backward, "__wrapped__", backward)(context, *seeds)
        found = found if isinstance(found, tuple | list) else (found,)
        kept = [
            slope
            for slope, argument in zip(found, self.arguments, strict=False)
            if isinstance(argument, Tensor)
        ]
        return [
            torch.zeros_like(x) if slope is None or not is_number(x) else slope
            for x, slope in zip(xs, kept, strict=True)
        ]

    def pushed(self, xs: Sequence[Tensor], along: Sequence[Tensor]) -> list[Tensor]:
        """Return J t: the derivative of v ↦ ⟨Jᵀv, t⟩."""
        with torch.enable_grad():
            seeds = [torch.zeros_like(y).requires_grad_(is_number(y)) for y in self.results(xs)]
            slopes = self.pulled([x.detach() for x in xs], seeds)
            total = sum(
                (slope * t).sum() for slope, t in zip(slopes, along, strict=True) if is_number(t)
            )
            if not isinstance(total, Tensor) or not total.requires_grad:
                return [torch.zeros_like(seed) for seed in seeds]
            free = [seed for seed in seeds if seed.requires_grad]
            found = iter(torch.autograd.grad(total, free, materialize_grads=True))
        return [next(found) if seed.requires_grad else torch.zeros_like(seed) for seed in seeds]

    def __call__(self, xs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the results, with the function's own derivative in both modes."""
        result: Tensor | tuple[Tensor, ...] = _Held.apply(self, *xs)
        return result if isinstance(result, tuple) else (result,)


def is_number(x: Tensor) -> bool:
    """Return whether a tensor has a derivative: it is neither of integers nor of truth values."""
    return x.is_floating_point() or x.is_complex()


Each = Callable[..., "tuple[Tensor, ...]"]


def _one_by_one(apply: Each, info: Any, in_dims: Any, *args: Any) -> Any:
    """Apply to each of a batch by itself, as torch.func.vmap asks: functions need not know it."""

    def chosen(i: int) -> list[Any]:
        places = zip(args, in_dims, strict=True)
        return [x if dim is None else x.select(dim, i) for x, dim in places]

    each = [apply(*chosen(i)) for i in range(info.batch_size)]
    stacked = tuple(torch.stack(column) for column in zip(*each, strict=True))
    return stacked, (0,) * len(stacked)


class _Held(torch.autograd.Function):
    """One use of a function, for all transforms of torch.func."""

    @staticmethod
    def forward(use: Use, *xs: Tensor) -> Any:
        return tuple(use.results(xs))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.use = inputs[0]
        ctx.save_for_backward(*inputs[1:])
        ctx.save_for_forward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, *seeds: Any) -> Any:
        return None, *_Pulled.apply(ctx.use, len(seeds), *seeds, *ctx.saved_tensors)

    @staticmethod
    def jvp(ctx: Any, _: None, *along: Any) -> Any:
        xs = ctx.saved_tensors
        whole = [torch.zeros_like(x) if t is None else t for x, t in zip(xs, along, strict=True)]
        return _Pushed.apply(ctx.use, len(xs), *xs, *whole)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        return _one_by_one(_Held.apply, info, in_dims, *args)


class _Pulled(torch.autograd.Function):
    """Jᵀv of a use, and of a batch of them."""

    @staticmethod
    def forward(use: Use, count: int, *values: Tensor) -> Any:
        return tuple(use.pulled(values[count:], values[:count]))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        pass

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        return _one_by_one(_Pulled.apply, info, in_dims, *args)


class _Pushed(torch.autograd.Function):
    """J t of a use, and of a batch of them."""

    @staticmethod
    def forward(use: Use, count: int, *values: Tensor) -> Any:
        return tuple(use.pushed(values[:count], values[count:]))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        pass

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        return _one_by_one(_Pushed.apply, info, in_dims, *args)


USES: dict[str, Use] = {}
"""The uses that graphs are being traced of, by the names that stand in them"""


@torch.library.custom_op("lib_graph::own", mutates_args=())
def own(xs: list[Tensor], key: str) -> list[Tensor]:
    """Compute a use as one operation of a traced graph."""
    return USES[key].results(xs)


@own.register_fake
def _(xs: list[Tensor], key: str) -> list[Tensor]:
    return USES[key].results(xs)


def use_named(key: str) -> Use:
    """Return the use that an operation `lib_graph::own` of a traced graph stands for."""
    return USES[key]
