"""Copies of a module that share its weights or have another precision; it is never changed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from lib_graph.cutting.arguments import mapped, tensors
from lib_graph.errors import ModelError
from lib_graph.support.devices import CPU

__all__ = ["converted", "fresh", "in_precision", "unwrapped"]

WRAPPERS = {
    "OptimizedModule": "_orig_mod",  # torch.compile
    "DataParallel": "module",
    "DistributedDataParallel": "module",
}


def unwrapped(module: nn.Module) -> nn.Module:
    """Return a module without what torch.compile and DataParallel put around it and its parts.

    The paths in it are those of what was wrapped.

    >>> unwrapped(nn.DataParallel(nn.Sequential(nn.Linear(2, 3))))
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
    )

    Raises ModelError for a ScriptModule, whose computation is not in Python.
    """
    while (name := WRAPPERS.get(type(module).__name__)) is not None:
        module = getattr(module, name)
    for path, part in module.named_modules():
        if isinstance(part, torch.jit.ScriptModule):
            where = f"Its part {path!r}" if path else f"The {part.original_name}"
            raise ModelError(
                f"{where} is a ScriptModule, whose computation cannot be followed. Pass the module "
                "that it was scripted or traced from."
            )
    parts = list(module.modules())
    if any(type(x).__name__ in WRAPPERS or x._compiled_call_impl is not None for x in parts):
        module = fresh(module)  # it leaves out what module.compile() has made
        for part in [*module.modules()]:
            for name, child in part.named_children():
                if type(child).__name__ in WRAPPERS:
                    setattr(part, name, unwrapped(child))
    return module


def fresh(module: nn.Module) -> nn.Module:
    """Return a copy that shares the parameters alone: what `forward` changes is the copy's own."""
    return _copied(module, {id(p): p for p in module.parameters()})


def in_precision(module: nn.Module, dtype: torch.dtype, device: torch.device = CPU) -> nn.Module:
    """Return a copy in eval mode whose numbers are in a precision; complex ones stay complex.

    Tensors that are plain attributes are changed as well. transformers' mixtures of experts run
    without their fused kernels.

    >>> module = nn.Linear(2, 2)
    >>> in_precision(module, torch.float64).weight.dtype, module.weight.dtype
    (torch.float64, torch.float32)
    """
    made = _copied(module, {})

    def convert(x: Tensor) -> Tensor:
        return converted(x, dtype).to(device)

    made._apply(convert)
    for part in made.modules():
        held = vars(part)
        for name, value in held.items():
            if name not in nn.Module().__dict__ and any(map(_is_plain, _found(value))):
                held[name] = mapped(value, lambda x: convert(x) if _is_plain(x) else x)
    for config in _configurations(made):
        config._experts_implementation = "eager"
    return made.eval().requires_grad_(False)


def _configurations(module: nn.Module) -> Iterator[Any]:
    """Yield what says how transformers runs mixtures of experts: its kernels for them have no
    float64 and no forward derivative, while `eager` loops over the experts.
    """
    for part in module.modules():
        config = vars(part).get("config")
        if getattr(config, "_experts_implementation", None) is not None:
            yield config


def converted(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return numbers in the given precision, complex ones as complex; others as they are."""
    if x.is_complex():
        return x.to(torch.complex128 if dtype == torch.float64 else torch.complex64)
    return x.to(dtype) if x.is_floating_point() else x


def _found(value: Any) -> list[Tensor]:
    return [x for _, x in tensors(value)]


def _is_plain(x: Tensor) -> bool:
    return not isinstance(x, nn.Parameter)


def _copied(module: nn.Module, shared: dict[int, Any]) -> nn.Module:
    """Return a deep copy, but for what is shared; of tensors that were computed, their values."""
    computed = {
        id(x): x.detach().clone()
        for part in module.modules()
        for x in _found(list(vars(part).values()))
        if x.grad_fn is not None
    }
    try:
        return copy.deepcopy(module, {**computed, **shared})
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ModelError(
            f"The {type(module).__name__} cannot be copied ({reason:.200}). lib-graph works on a "
            "copy: keep what cannot be copied out of the module's attributes."
        ) from error
