"""Which modules are norms: those that compute what `Norm` does, whatever they are called."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lib_graph.kinds.norm import Norm

__all__ = ["NormForm"]

GAINS: tuple[tuple[float, bool], ...] = ((0.0, True), (1.0, True), (1.0, False))
"""(c, whether there is a weight w) of a gain c + w: usual norms, Gemma's, those without weights"""
TOLERANCE = 1e-5  # norms round to float32 inside
UNKNOWN_WIDTH = 6


@dataclass(frozen=True)
class NormForm:
    """How a module is a norm: n(f) = a (f P) (c + w) + β, with w and β its own tensors.

    `weight` and `bias` are their names, None where there is none, and `offset` is c; `eps` is None
    where it is that of the precision, as nn.RMSNorm has it.
    """

    centred: bool
    eps: float | None
    offset: float
    weight: str | None
    bias: str | None

    @classmethod
    def of(cls, module: nn.Module) -> NormForm | None:
        """Return how a module is a norm over its last axis; None if it is none.

        The name says nothing: there are norms of other names, and what is called one but scales
        before, works in groups or takes a gate. So a copy with random weights is run on random
        rows, whose variance is far below eps, about eps, and far above it, and held against every
        form that the module's tensors and numbers allow.

        >>> NormForm.of(nn.LayerNorm(4, bias=False))
        NormForm(centred=True, eps=1e-05, offset=0.0, weight='weight', bias=None)
        >>> NormForm.of(nn.Sigmoid()) is None
        True
        """
        tensors = _vectors(module)
        if tensors is None or not _takes_one_tensor(module):
            return None
        generator = torch.Generator().manual_seed(0)
        values = {
            name: torch.randn(x.shape, generator=generator, dtype=torch.float64)
            for name, x in tensors.items()
        }
        run = _copy_with(module, values)
        forms = list(_forms(module, values))
        for eps in dict.fromkeys(form.eps for form in forms):
            rows = _rows(_width(module, values), eps, generator)
            found = _results(run, rows)
            if found is None:
                continue
            for form in forms:
                if form.eps == eps and _agree(found, form._made(values, torch.float64), rows):
                    return form
        return None

    def norm(self, module: nn.Module) -> Norm:
        """Return what the module computes, with its own tensors as they are now."""
        tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        dtype = next((x.dtype for x in tensors.values()), torch.get_default_dtype())
        return self._made(tensors, dtype)

    def _made(self, tensors: dict[str, Tensor], dtype: torch.dtype) -> Norm:
        gain = torch.ones(1, dtype=dtype) if self.weight is None else tensors[self.weight]
        if self.weight is not None and self.offset:
            gain = self.offset + gain
        bias = None if self.bias is None else tensors[self.bias]
        eps = torch.finfo(dtype).eps if self.eps is None else self.eps
        return Norm(gain, bias, eps, self.centred)


def _vectors(module: nn.Module) -> dict[str, Tensor] | None:
    """Return the tensors of a module that may be a norm: at most two, of one length; else None."""
    if next(module.children(), None) is not None:
        return None
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    numbers = all(x.ndim == 1 and x.is_floating_point() for x in tensors.values())
    one_shape = len({x.shape for x in tensors.values()}) <= 1
    return tensors if len(tensors) <= 2 and numbers and one_shape else None


def _takes_one_tensor(module: nn.Module) -> bool:
    """Return whether `forward` takes one argument alone: another could change what it computes."""
    try:
        return len(inspect.signature(module.forward).parameters) == 1
    except (TypeError, ValueError):
        return False


def _copy_with(module: nn.Module, values: dict[str, Tensor]) -> Callable[[Tensor], Any]:
    """Return `forward` of a copy with other tensors, which leaves the module as it is."""
    twin = copy.copy(module)
    twin.__dict__ = dict(module.__dict__)
    twin._parameters = {
        name: None if x is None else nn.Parameter(values[name], requires_grad=False)
        for name, x in module._parameters.items()
    }
    twin._buffers = {name: values.get(name) for name in module._buffers}
    twin.training = False
    return twin.forward


def _width(module: nn.Module, values: dict[str, Tensor]) -> int:
    for x in values.values():
        return len(x)
    shape = getattr(module, "normalized_shape", (UNKNOWN_WIDTH,))
    return int(shape[0]) if isinstance(shape, tuple) and len(shape) == 1 else UNKNOWN_WIDTH


def _forms(module: nn.Module, tensors: dict[str, Tensor]) -> Iterator[NormForm]:
    """Yield every form that the tensors and numbers of a module allow."""
    numbers = [float(x) for x in vars(module).values() if type(x) in (int, float) and 0 <= x < 1]
    own: list[float | None] = [None] if "eps" in vars(module) and module.eps is None else []
    names = [*tensors, None]
    for eps in dict.fromkeys([*numbers, *own]):
        for centred in (False, True):
            for weight in names:
                for bias in (name for name in names if name is None or name != weight):
                    for offset, weighted in GAINS:
                        if weighted == (weight is not None):
                            yield NormForm(centred, eps, offset, weight, bias)


def _rows(width: int, eps: float | None, generator: torch.Generator) -> list[Tensor]:
    scale = (torch.finfo(torch.float64).eps if eps is None else eps or 1.0) ** 0.5
    rows = torch.randn(3, 2, 2, width, generator=generator, dtype=torch.float64) + 0.5
    return [1e-3 * scale * rows[0], scale * rows[1], (1 + 1e3 * scale) * rows[2]]


def _results(run: Callable[[Tensor], Any], rows: list[Tensor]) -> list[Tensor] | None:
    try:
        with torch.no_grad():
            found = [run(x) for x in rows]
    except Exception:  # whatever a module that is no norm does with such rows
        return None
    alike = all(torch.is_tensor(y) and y.shape == x.shape for x, y in zip(rows, found, strict=True))
    return found if alike else None


def _agree(found: list[Tensor], norm: Norm, rows: list[Tensor]) -> bool:
    for x, y in zip(rows, found, strict=True):
        truth = norm(x)
        if not (y - truth).abs().max() <= TOLERANCE * truth.abs().max():
            return False
    return True
