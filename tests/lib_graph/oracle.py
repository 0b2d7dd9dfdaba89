"""What a run must say, found without the library: by hooks, substitution and full Jacobians.

The oracle runs a float64 (complex128) copy of somebody's own module. Hooks read the tensors that
cross a layer, or put others in their place; the Jacobian between two layers is that of the whole
module from the one place to the other, one sample at a time, by torch's autograd in reverse mode.
It knows nothing of graphs, cuts, sections, kinds or forward mode, and takes one thing from a run:
the bases that the run computed, which it holds against their definition (docs/method.md §2, §3).
"""

from __future__ import annotations

import copy
import dataclasses
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

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
        self.samples = len(next(_tensors(case.data)))
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

        return _mapped(self.case.data, one)

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
        visited = _visited(
            self.module, {*firsts, *places}, places, found, in_place=self.case.overwritten
        )
        with visited, _kept(self.module), _in_double():
            arguments = _mapped(sample, torch.Tensor.clone)
            args, kwargs = ((), arguments) if isinstance(arguments, dict) else (arguments, {})
            args = args if isinstance(args, tuple | list) else (args,)
            result = torch.func.functional_call(
                self.module, dict(biases or {}), tuple(args), kwargs
            )
        if "output" in wanted:
            found["output"] = next(x for x in _tensors(result) if x.is_floating_point())
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


def bases_of(run: Path, oracle: Oracle) -> dict[str, Basis]:
    """Return the bases of a run's layers; of a raw one the identity."""
    tensors, features = (
        load_file(run / "bases.safetensors"),
        pd.read_parquet(run / "features.parquet"),
    )
    found = {}
    for layer in oracle.layers:
        rows = features[(features.layer == layer) & (features.role != "constant")]
        if f"{layer}.rotation" in tensors:
            parts = (tensors[f"{layer}.{name}"] for name in ("rotation", "inverse", "mean"))
            found[layer] = Basis(*parts, torch.tensor(rows.importance.to_numpy(dtype=np.float64)))
        else:
            eye = torch.eye(len(rows), dtype=torch.float64)
            found[layer] = Basis(eye, eye, torch.zeros(len(rows), dtype=torch.float64), None)
    return found


def differences(case: Case, run: Path, *, tau: float = 1e-12) -> dict[str, float]:
    """Return how far each number of a run in basis `lib` is from what it must be.

    Each is the largest deviation over the largest entry of its table (of signed means, over the
    root of the largest strength, since they can all cancel). Of a basis that is: the mean;
    C Cᵀ = P M' P, with P the projector to what the data span, which fixes C but for a rotation; and
    C⁺ C = 1, E[f̂ᵀf̂] = diag(Λ), which fix that.
    """
    oracle = Oracle(case)
    bases, far = bases_of(run, oracle), {}
    edges = pd.read_parquet(run / "interactions.parquet")
    names = [*oracle.layers]
    for source, target in pairwise(names):
        basis = bases[source]
        rows = oracle.activations(source)[oracle.counted(source)]
        mean = rows.mean(0)
        G = (rows - mean).T @ (rows - mean) / len(rows)
        values, vectors = torch.linalg.eigh(G)
        P = vectors[:, values > tau * values[-1]] @ vectors[:, values > tau * values[-1]].T
        M = oracle.moment(source, target, bases[target].rotation)
        assert basis.importance is not None
        far[f"{source} mean"] = _far(basis.mean, mean, rows.abs().max())
        far[f"{source} C Ct"] = _far(basis.rotation @ basis.rotation.T, P @ M @ P)
        far[f"{source} inverse"] = _far(
            basis.inverse @ basis.rotation, torch.eye(len(basis.inverse)).double()
        )
        covariance = basis.rotation.T @ G @ basis.rotation
        far[f"{source} importance"] = _far(covariance, basis.importance.diag())
        truth = oracle.strengths(source, target, bases)
        here = edges[edges.source_layer == source]
        for column in ("strength", "stderr", "effect"):
            expected = getattr(truth, column)
            found = _table(here, column, bases[source], bases[target])
            for rows, what in ((slice(0, 1), "constant "), (slice(1, None), "")):
                size = truth.strength[slice(0 if what else 1, None)].max()
                size = size.sqrt() if column == "effect" else size
                far[f"{source} {what}{column}"] = _far(found[rows], expected[rows], size)
    return far


def _table(edges: pd.DataFrame, column: str, basis: Basis, following: Basis) -> Tensor:
    """Return a column of interactions as a table; those that are not in the file are 0."""
    table = torch.zeros(len(basis.inverse) + 1, len(following.inverse), dtype=torch.float64)
    targets = edges.target - (0 if following.importance is None else 1)
    places = torch.tensor(edges.source.to_numpy()), torch.tensor(targets.to_numpy())
    values = torch.tensor(edges[column].to_numpy(dtype=np.float64))
    return table.index_put(tuple(place.long() for place in places), values)


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


def _far(found: Tensor, truth: Tensor, size: Tensor | None = None) -> float:
    if found.shape != truth.shape:
        return float("inf")
    largest = truth.abs().max() if size is None else size
    return float((found - truth).abs().max() / largest.clamp_min(1e-300))


def _rows(tensors: Sequence[Tensor]) -> Tensor:
    """Return tensors of one sample side by side: s × d. Of an image, pixels are positions."""
    rows = []
    for x in (t[0] for t in tensors):
        rows.append(x[None] if x.ndim == 1 else x if x.ndim == 2 else x.flatten(1).T)
    return torch.cat(rows, 1)


def _parted(f: Tensor, shapes: Sequence[torch.Size]) -> Iterator[Tensor]:
    for shape in shapes:
        width = shape[1] if len(shape) == 4 else shape[-1]
        part, f = f[:, :width], f[:, width:]
        yield (part.T if len(shape) == 4 else part).reshape(shape)


def _tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors of nested containers, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _tensors(each)
    elif dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            yield from _tensors(getattr(value, each.name))


def _mapped(value: Any, of: Callable[[Tensor], Tensor]) -> Any:
    """Return nested containers with every tensor passed through a function."""
    if isinstance(value, Tensor):
        return of(value)
    if isinstance(value, Mapping):
        changed = {key: _mapped(each, of) for key, each in value.items()}
        return changed if type(value) is dict else _refilled(value, changed)
    if isinstance(value, tuple | list):
        items = [_mapped(each, of) for each in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if dataclasses.is_dataclass(value):
        names = [each.name for each in dataclasses.fields(value)]
        return dataclasses.replace(value, **{n: _mapped(getattr(value, n), of) for n in names})
    return value


def _refilled(value: Any, items: dict[str, Any]) -> Any:
    other = copy.copy(value)
    for key, item in items.items():
        other[key] = item
    return other


def _first_replaced(value: Any, of: Callable[[Tensor], Tensor]) -> Any:
    """Return nested containers with their first float tensor passed through a function."""
    first = next((x for x in _tensors(value) if x.is_floating_point()), None)
    return _mapped(value, lambda x: of(x) if x is first else x)


@contextmanager
def _visited(
    module: nn.Module,
    points: set[str],
    given: Mapping[str, Tensor],
    found: dict[str, Tensor],
    *,
    in_place: bool,
) -> Iterator[None]:
    """Read or replace, while the context lasts, the first float tensor at each point."""
    uses: dict[tuple[str, str], int] = {}
    handles = []

    def visit(path: str, side: str, value: Any) -> Any:
        uses[path, side] = uses.get((path, side), 0) + 1
        for point in (f"{path}:{side}", f"{path}#{uses[path, side]}:{side}"):
            if point in points:

                def swap(x: Tensor, point: str = point) -> Tensor:
                    if point in given:
                        return x.copy_(given[point]) if in_place else given[point].clone()
                    found[point] = x.clone()
                    return x

                value = _first_replaced(value, swap)
        return value

    for path in {point.rpartition(":")[0].partition("#")[0] for point in points} - {""}:
        submodule = module.get_submodule(path)
        handles.append(
            submodule.register_forward_pre_hook(
                lambda _, args, kwargs, path=path: visit(path, "in", (args, kwargs)),
                with_kwargs=True,
            )
        )
        handles.append(
            submodule.register_forward_hook(
                lambda _, __, result, path=path: visit(path, "out", result)
            )
        )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


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
