"""What a run must say, found without the library: by hooks, substitution and full Jacobians.

The oracle runs a float64 (complex128) copy of somebody's own module. Hooks read the tensors that
cross a layer, or put others in their place; the Jacobian between two layers is that of the whole
module from the one place to the other, one sample at a time, by torch's autograd in reverse mode.
It knows nothing of graphs, cuts, sections, kinds or forward mode, and takes one thing from a run:
the bases that the run computed, which it holds against their definition (docs/method.md §2, §3).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tests.lib_graph.visiting import mapped, tensors, visited

Points = str | tuple[str, ...]
ENDS = ("in", "out")


@dataclass(frozen=True)
class Case:
    """A module, what it runs on, and by which points' tensors each layer is crossed.

    `layers` names the tensors of each layer, that of the point itself first, then what bypasses it
    in the order of the computation. `PATH#2:in` is the second use of a submodule; `f:in|b:in` is
    one tensor that has to be put in both places. `exact` makes the module for the oracle where the
    one that is tested fixes a precision inside. `held` names what bypasses a layer and stays as it
    is. With `overwritten` the module changes the tensors at the points in place, and others see it.
    `rule` has the nodes α of the path and their weights.
    """

    make: Callable[[], nn.Module]
    data: Any
    layers: Mapping[str, Points]
    rule: tuple[tuple[float, float], ...] = ((1.0, 1.0),)
    exact: Callable[[], nn.Module] | None = None
    held: Mapping[str, Points] = field(default_factory=dict)
    counted: Tensor | None = None
    overwritten: bool = False

    @property
    def named(self) -> list[str]:
        """The layers as a build is told of them."""
        return [
            f"{name}={_listed(points)[0].partition('|')[0]}" for name, points in self.layers.items()
        ]


@dataclass(frozen=True)
class Strengths:
    """E, its standard error and the signed mean between two layers, the constant in row 0."""

    strength: Tensor
    stderr: Tensor
    effect: Tensor


class Oracle:
    """The layers of a case's module and the Jacobians between them."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.module = exact(case.exact() if case.exact else case.make())
        self.layers = {name: _listed(points) for name, points in case.layers.items()}
        self.samples = len(next(tensors(case.data)))
        self.data = [self._sample(i) for i in range(self.samples)]
        every = [*sum(self.layers.values(), ()), *sum(map(_listed, case.held.values()), ())]
        self._found = [self.run(sample, every) for sample in self.data]
        self.biases = {
            name: value.detach()
            for name, value in self.module.named_parameters()
            if name.rpartition(".")[2] == "bias" or name.rpartition(".")[2].startswith("b_")
        }

    def _sample(self, index: int) -> Any:
        def one(x: Tensor) -> Tensor:
            return wide(x[index : index + 1])

        return mapped(self.case.data, one)

    def activations(self, layer: str) -> Tensor:
        """Return f of all samples: n × s × d."""
        points = self.layers[layer]
        return torch.stack([_rows([found[p] for p in points]) for found in self._found])

    def counted(self, layer: str) -> Tensor:
        """Return which positions of a layer count: n × s."""
        shape = self.activations(layer).shape[:2]
        counted = self.case.counted
        return counted if counted is not None and counted.shape == shape else torch.ones(shape) > 0

    def function(self, source: str, target: str, index: int) -> Callable[..., Tensor]:
        """Return F of one sample: f (s × d), and biases by name, to the target's f (t × e)."""
        shapes = [self._found[index][point].shape for point in self.layers[source]]
        kept = _listed(self.case.held.get(source, ()))

        def of(f: Tensor, biases: Mapping[str, Tensor]) -> Tensor:
            given = dict(zip(self.layers[source], _parted(f, shapes), strict=True))
            given |= {point: self._found[index][point] for point in kept}
            found = self.run(self.data[index], self.layers[target], given, biases)
            return _rows([found[point] for point in self.layers[target]])

        return of

    def run(
        self,
        sample: Any,
        wanted: Sequence[str],
        given: Mapping[str, Tensor] | None = None,
        biases: Mapping[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Return the tensors at points, with others put in place of those at the given points."""
        found: dict[str, Tensor] = {}
        places = {place: x for point, x in (given or {}).items() for place in point.split("|")}
        firsts = [point.partition("|")[0] for point in wanted]
        visiting = visited(
            self.module, {*firsts, *places}, places, found, in_place=self.case.overwritten
        )
        with visiting, _kept(self.module), _in_double():
            arguments = mapped(sample, torch.Tensor.clone)
            args, kwargs = ((), arguments) if isinstance(arguments, dict) else (arguments, {})
            args = args if isinstance(args, tuple | list) else (args,)
            result = torch.func.functional_call(
                self.module, dict(biases or {}), tuple(args), kwargs
            )
        if "output" in wanted:
            found["output"] = next(x for x in tensors(result) if x.is_floating_point())
        return {point: found[first] for point, first in zip(wanted, firsts, strict=True)}

    def jacobian(self, source: str, target: str, index: int) -> tuple[Tensor, Tensor]:
        """Return ∂F_t/∂f_s of one sample along the rule, t × e × s × d, and DF along all biases."""
        of, f = self.function(source, target, index), self.activations(source)[index]
        J: Any = 0.0
        along: Any = 0.0
        for alpha, weight in self.case.rule:
            z = (alpha * f).requires_grad_()
            biases = {name: (alpha * b).requires_grad_() for name, b in self.biases.items()}
            result = of(z, biases)
            slopes = [
                torch.autograd.grad(
                    entry, [z, *biases.values()], retain_graph=True, materialize_grads=True
                ) if entry.requires_grad else [torch.zeros_like(x) for x in (z, *biases.values())]
                for entry in result.flatten()
            ]  # fmt: skip
            J = J + weight * torch.stack([s[0] for s in slopes]).unflatten(0, result.shape)
            moved = [
                sum((s * b).sum() for s, b in zip(each[1:], self.biases.values(), strict=True))
                for each in slopes
            ]
            along = along + weight * torch.tensor(moved, dtype=z.dtype).unflatten(0, result.shape)
        return J.detach(), along

    def moment(self, source: str, target: str, rotation: Tensor) -> Tensor:
        """Return M' = 1/(N S) Σ J_ts C Cᵀ J_tsᵀ (§3)."""
        ins, outs = self.counted(source), self.counted(target)
        total: Any = 0.0
        for i in range(self.samples):
            J = self.jacobian(source, target, i)[0] * outs[i][:, None, None, None]
            J = torch.einsum("tesd,er->trsd", J * ins[i][:, None], rotation)
            total = total + torch.einsum("trsd,trsc->dc", J, J)
        return total / ins.sum()

    def strengths(self, source: str, target: str, bases: Mapping[str, Basis]) -> Strengths:
        """Return E with all that stands beside it (§4)."""
        here, there = bases[source], bases[target]
        ins, outs = self.counted(source), self.counted(target)
        each = []
        for i, f in enumerate(self.activations(source)):
            J, along = self.jacobian(source, target, i)
            J = J * ins[i][:, None]
            hat = (f - here.mean) @ here.rotation
            A = torch.einsum("sj,jd,tesd,ei->jti", hat, here.inverse, J, there.rotation)
            moved = torch.einsum("tesd,d->te", J, here.mean) + along
            constant = (moved - there.mean) @ there.rotation
            each.append(torch.cat([constant[None], A]) * outs[i][:, None])
        A, positions = torch.stack(each), int(ins.sum()) / self.samples
        squares = A.square().sum(2) / positions
        return Strengths(
            squares.mean(0),
            squares.std(0) / self.samples**0.5,
            A.sum(2).mean(0) / positions,
        )


@dataclass(frozen=True)
class Basis:
    """C, C⁺, μ and Λ of a layer out of a run's files."""

    rotation: Tensor
    inverse: Tensor
    mean: Tensor
    importance: Tensor | None


def exact(module: nn.Module) -> nn.Module:
    """Turn a module to float64 and complex128, in eval mode, its weights fixed, and return it."""
    for submodule in module.eval().modules():
        for name, value in list(vars(submodule).items()):
            if isinstance(value, Tensor):
                setattr(submodule, name, wide(value.detach()))
    return module._apply(wide).requires_grad_(False)


def wide(x: Tensor) -> Tensor:
    """Return numbers in double precision, anything else as it is."""
    if x.is_complex():
        return x.to(torch.complex128)
    return x.double() if x.is_floating_point() else x


def _listed(points: Points) -> tuple[str, ...]:
    return (points,) if isinstance(points, str) else tuple(points)


def _rows(parts: Sequence[Tensor]) -> Tensor:
    """Return tensors of one sample side by side: s × d. Of an image, pixels are positions."""
    rows = []
    for x in (part[0] for part in parts):
        rows.append(x[None] if x.ndim == 1 else x if x.ndim == 2 else x.flatten(1).T)
    return torch.cat(rows, 1)


def _parted(f: Tensor, shapes: Sequence[torch.Size]) -> Iterator[Tensor]:
    for shape in shapes:
        width = shape[1] if len(shape) == 4 else shape[-1]
        part, f = f[:, :width], f[:, width:]
        yield (part.T if len(shape) == 4 else part).reshape(shape)


@contextmanager
def _in_double() -> Iterator[None]:
    """Have the module make new numbers in float64, as those are that it has."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def _kept(module: nn.Module) -> Iterator[None]:
    """Set back, after the context, what a forward pass changes of a module's state."""
    buffers = {name: value.clone() for name, value in module.named_buffers()}
    plain = [(vars(m), dict(vars(m))) for m in module.modules()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for now, before in plain:
                now.update(before)
            for name, value in module.named_buffers():
                value.data.copy_(buffers[name])
