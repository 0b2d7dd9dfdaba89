"""Operations of modules, and how each is called in a graph of torch's operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["ABOUT", "LENGTHS", "OPERATIONS", "UnknownError", "Writer"]

aten = torch.ops.aten


class UnknownError(BaseException):
    """A module does something that is not known here, which it must not take for an error of what
    it tried: it would go on as it does nowhere else.
    """


class Writer(Protocol):
    """What operations of a graph are called by, and so written down."""

    def call(self, operation: Any, *args: Any, **named: Any) -> Tensor:
        """Return what an operation gives."""

    def length(self, x: Tensor, axis: int) -> int:
        """Return the length of an axis, also where the graph runs on other sizes."""


Rule = Callable[..., Tensor]
"""(writer, the arguments that a module gave) ↦ the result, by operations of a graph"""


def _alike(operation: Any) -> Rule:
    """Return the rule of what is called in the graph as it is in modules, by position."""
    return lambda to, *args: to.call(operation, *args)


def _swapped(operation: Any) -> Rule:
    return lambda to, x, other: to.call(operation, other, x)


def _shaped(operation: Any) -> Rule:
    """Return the rule of what takes sizes or axes, side by side or in one tuple."""

    def rule(to: Writer, x: Tensor, *given: Any) -> Tensor:
        return to.call(operation, x, given[0] if isinstance(given[0], list | tuple) else given)

    return rule


def _in_new(operation: Any) -> Rule:
    """Return the rule of an activation that could also be asked to change what it is given."""

    def rule(to: Writer, input: Tensor, inplace: bool = False) -> Tensor:
        if inplace:
            raise UnknownError
        return to.call(operation, input)

    return rule


def _gelu(to: Writer, input: Tensor, approximate: str = "none") -> Tensor:
    return to.call(aten.gelu.default, input, approximate=approximate)


def _softmax(
    to: Writer, input: Tensor, dim: int, _stacklevel: int = 3, dtype: None = None
) -> Tensor:
    if dtype is not None:
        raise UnknownError
    return to.call(aten.softmax.int, input, dim)


def _mean(to: Writer, input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    axes = dim if isinstance(dim, list | tuple) else [dim]
    return to.call(aten.mean.dim, input, axes, keepdim)


def _layer_norm(
    to: Writer,
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    return to.call(aten.layer_norm.default, input, list(normalized_shape), weight, bias, eps)


def _embedding(
    to: Writer,
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: None = None,
    **_: Any,
) -> Tensor:
    if max_norm is not None:  # it changes the weights
        raise UnknownError
    return to.call(aten.embedding.default, weight, input)


def _einsum(to: Writer, equation: str, *operands: Tensor) -> Tensor:
    return to.call(aten.einsum.default, equation, list(operands))


def _item(to: Writer, x: Tensor, index: Any) -> Tensor:
    """Pick by numbers, slices, `...` and None, each of which is an operation of its own."""
    parts = list(index) if isinstance(index, tuple) else [index]
    taken = [part for part in parts if isinstance(part, slice) or type(part) is int]
    others = [part for part in parts if part is not None and part is not ...]
    if len(taken) != len(others):
        raise UnknownError
    if ... in parts:
        at = parts.index(...)
        parts[at : at + 1] = [slice(None)] * (x.ndim - len(taken))
    axis = 0
    for part in parts:
        if part is None:
            x = to.call(aten.unsqueeze.default, x, axis)
        elif isinstance(part, slice):
            x = _sliced(to, x, axis, part)
        else:
            x = to.call(aten.select.int, x, axis, part)
            continue
        axis += 1
    return x


def _sliced(to: Writer, x: Tensor, axis: int, part: slice) -> Tensor:
    if part.start is part.stop is part.step is None:
        return x
    start = 0 if part.start is None else part.start
    end = to.length(x, axis) if part.stop is None else part.stop
    return to.call(aten.slice.Tensor, x, axis, start, end, part.step or 1)


_tensor: Any = torch.Tensor

ABOUT = {
    _tensor.device.__get__, _tensor.dim, _tensor.dtype.__get__, _tensor.is_complex,
    _tensor.is_floating_point, _tensor.ndim.__get__, _tensor.requires_grad.__get__,
    _tensor._is_view, torch.is_complex, torch.is_floating_point, torch._C._set_grad_enabled,
}  # fmt: skip
"""What says something of a tensor that does not follow from its numbers"""

LENGTHS = {_tensor.shape.__get__, _tensor.size}

OPERATIONS: dict[Any, Rule] = {
    functional.embedding: _embedding,
    functional.gelu: _gelu,
    functional.layer_norm: _layer_norm,
    functional.linear: _alike(aten.linear.default),
    functional.relu: _in_new(aten.relu.default),
    functional.silu: _in_new(aten.silu.default),
    functional.softmax: _softmax,
    torch.Tensor.__getitem__: _item,
    torch.functional.einsum: _einsum,
    **dict.fromkeys((torch.mean, torch.Tensor.mean), _mean),
    **dict.fromkeys((torch.softmax, torch.Tensor.softmax), _softmax),
    **dict.fromkeys((torch.permute, torch.Tensor.permute), _shaped(aten.permute.default)),
    **dict.fromkeys((torch.reshape, torch.Tensor.reshape, torch.Tensor.view),
                    _shaped(aten.reshape.default)),
    torch.Tensor.expand: _shaped(aten.expand.default),
    torch.Tensor.__rmatmul__: _swapped(aten.matmul.default),
}  # fmt: skip
"""Operations of modules, and how they are called in a graph"""

for _name, _operation in {
    "add": aten.add.Tensor, "bmm": aten.bmm.default, "cos": aten.cos.default,
    "div": aten.div.Tensor, "exp": aten.exp.default, "matmul": aten.matmul.default,
    "mul": aten.mul.Tensor, "neg": aten.neg.default, "pow": aten.pow.Tensor_Scalar,
    "relu": aten.relu.default, "rsqrt": aten.rsqrt.default, "sigmoid": aten.sigmoid.default,
    "sin": aten.sin.default, "sqrt": aten.sqrt.default, "squeeze": aten.squeeze.dim,
    "sub": aten.sub.Tensor, "tanh": aten.tanh.default, "transpose": aten.transpose.int,
    "unsqueeze": aten.unsqueeze.default,
}.items():  # fmt: skip
    for _home, _spelling in ((torch, _name), (torch.Tensor, _name), (torch.Tensor, f"__{_name}__")):
        if hasattr(_home, _spelling):
            OPERATIONS[getattr(_home, _spelling)] = _alike(_operation)
OPERATIONS[torch.Tensor.__truediv__] = OPERATIONS[torch.Tensor.div]
OPERATIONS[torch.Tensor.__radd__] = OPERATIONS[torch.Tensor.add]
OPERATIONS[torch.Tensor.__rmul__] = OPERATIONS[torch.Tensor.mul]
