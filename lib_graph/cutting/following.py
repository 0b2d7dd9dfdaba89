"""What Python asks of torch while a module runs, and where that would mislead (docs/method.md §1).

A module runs in one precision throughout, and says itself where derivatives stop.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import CheckpointFunction
from torch.utils.weak import WeakIdKeyDictionary

from lib_graph.cutting.arguments import tensors

__all__ = ["checkpoints_as_they_are", "default_type", "followed", "plain_kernels", "stop"]

NARROWING = {torch.Tensor.float, torch.Tensor.half, torch.Tensor.bfloat16}
DETACHING = {torch.Tensor.detach, torch.detach, torch.Tensor.data.__get__}  # type: ignore[attr-defined]
REINTERPRETING = {torch.Tensor.view}


@torch.library.custom_op("lib_graph::stop", mutates_args=())
def stop(x: Tensor) -> Tensor:
    """Return the same numbers, as a constant to derivatives."""
    return x.clone()


@stop.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


stop.register_autograd(lambda ctx, grad: None, setup_context=lambda ctx, inputs, output: None)


class _Following(TorchFunctionMode):
    """Keeps the precision, and marks with `stop` what has no derivative.

    Norms and softmaxes are written to run in float32, which is more than what their models run in,
    and less than float64: a type that would round what follows from `active` tensors is replaced,
    and that of new tensors. Tables that are made of others are as the module rounds them. What is
    detached, and what comes out of `torch.no_grad()`, is a constant to autograd, which graphs do
    not say.
    """

    def __init__(self, dtype: torch.dtype, active: Iterable[Tensor]) -> None:
        super().__init__()
        self.dtype = dtype
        self.active = WeakIdKeyDictionary(dict.fromkeys(active, True))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        sources = [x for _, x in tensors([args, kwargs])]
        active = any(x in self.active for x in sources)
        result = self._called(func, args, kwargs, keeping=active or not sources)
        if active:
            self.active.update((x, True) for _, x in tensors(result))
        return result

    def _called(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, keeping: bool
    ) -> Any:
        if func is torch._C._set_grad_enabled:  # it is followed here, and not in the graph
            with torch._C.DisableTorchFunction():
                return func(*args, **kwargs)
        if func in DETACHING and args[0].is_floating_point():
            return stop(args[0])
        if func is torch.Tensor.detach_:
            return args[0].copy_(stop(args[0]))
        if keeping and func in NARROWING:
            return args[0].to(self.wide(torch.half))
        if keeping and func not in REINTERPRETING:
            args = tuple(map(self.wide, args))
            kwargs = {name: self.wide(value) for name, value in kwargs.items()}
        result = func(*args, **kwargs)
        if torch.is_grad_enabled() or not isinstance(result, Tensor):
            return result
        shared = result._is_view() or any(result is argument for argument in args)
        return result if shared or not result.is_floating_point() else stop(result)

    def wide(self, value: Any) -> Any:
        """Return a type that keeps this precision in place of one that would round to less."""
        if not isinstance(value, torch.dtype):
            return value
        if value.is_complex:
            wider = torch.complex128 if self.dtype == torch.float64 else torch.complex64
            return max(value, wider, key=lambda x: x.itemsize)
        if value.is_floating_point:
            return min(value, self.dtype, key=lambda x: torch.finfo(x).eps)
        return value


@contextmanager
def followed(dtype: torch.dtype, module: nn.Module, inputs: Iterable[Tensor]) -> Iterator[None]:
    """Have a module that runs in the context keep a precision, and say where derivatives stop."""
    active = [*module.parameters(), *(x for x in inputs if x.is_floating_point())]
    with (
        warnings.catch_warnings(),
        torch.enable_grad(),
        plain_kernels(),
        default_type(dtype),
        _Following(dtype, active),
    ):
        warnings.simplefilter("ignore")  # of numbers taken out of tensors that have derivatives
        yield


@contextmanager
def checkpoints_as_they_are() -> Iterator[None]:
    """Have what is checkpointed run once, in the open: torch's reentrant kind runs it where no
    derivatives are taken, and again on the way back.
    """
    kept: Any = CheckpointFunction
    before = vars(kept).get("apply")
    kept.apply = staticmethod(lambda run, _, *args: run(*args))
    try:
        yield
    finally:
        if before is None:
            del kept.apply
        else:
            kept.apply = before


@contextmanager
def default_type(dtype: torch.dtype) -> Iterator[None]:
    """Have new tensors be of a type, unless it is said otherwise."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def plain_kernels() -> Iterator[None]:
    """Have torch take kernels that have derivatives of both modes, in all precisions.

    Attention is taken apart into its operations, also where nn.MultiheadAttention has a kernel, and
    recurrent networks run without oneDNN, whose kernel has no forward mode.
    """
    heads, onednn = torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled
    torch.backends.mha.set_fastpath_enabled(False)
    _set_onednn(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(heads)
        _set_onednn(onednn)


def _set_onednn(enabled: Any) -> None:  # torch.backends.mkldnn.flags sets more, and warns of it
    torch.backends.mkldnn.enabled = enabled
