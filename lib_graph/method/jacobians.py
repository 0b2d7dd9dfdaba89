"""The second moment of a section's Jacobian (docs/method.md §3 and §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.method.forward import push_forward, quietly
from lib_graph.method.network import Batch, Section
from lib_graph.method.rules import Rule
from lib_graph.support.devices import exact

__all__ = [
    "JacobianMoment",
    "closed_moment",
    "column_gradients",
    "estimated_moment",
    "random_signs",
    "second_moment",
]


BACKWARD = 4  # passes that go together on a processor, where more are no faster
PRODUCTS = 1 << 24  # numbers that forward derivatives may give before they are multiplied


@dataclass(frozen=True)
class JacobianMoment:
    """N S · M' and the number N S of input positions it is summed over.

    `variance` is the squared standard error of `total` (Frobenius norm) where it was estimated.
    """

    rows: int
    total: Float[Tensor, "d d"]
    variance: float = 0.0

    def merge(self, other: JacobianMoment) -> JacobianMoment:
        """Return the moment of both sets of samples."""
        return JacobianMoment(
            self.rows + other.rows, self.total + other.total, self.variance + other.variance
        )

    @property
    def mean(self) -> Float[Tensor, "d d"]:
        """M'."""
        return self.total / self.rows

    @property
    def relative_error(self) -> float:
        """The standard error of M' over its norm: 0 where it is exact."""
        return float(self.variance**0.5 / self.total.norm().clamp_min(1e-300))


def second_moment(
    section: Section,
    batch: Batch,
    next_rotation: Float[Tensor, "e r"],
    rule: Rule,
    chunk: int,
) -> Float[Tensor, "d d"]:
    """Return N S · M' = Σ_x Σ_s Σ_t J_ts K J_tsᵀ of one batch, K = C Cᵀ, C = `next_rotation`.

    J_ts = ∂F_t/∂f_s (d × d') is averaged over the path of `rule`, with the biases scaled along.
    The section's kind may have a closed form. Else it takes a VJP per output position and column of
    C, or a JVP per input position and coordinate, whichever are fewer, `chunk` of them at a time;
    of a section that is position-local, all positions go at once. The products are summed in
    float64. Positions that do not count are in neither sum.
    """
    closed = closed_moment(section, batch, next_rotation, rule)
    if closed is not None:
        return closed
    f = batch.activations[section.source.index]
    (n, s, d), r = f.shape, next_rotation.shape[1]
    t, local = batch.activations[section.target.index].shape[1], section.local
    forward, backward = (d, r) if local else (d * s, r * t)
    if forward < backward and d * n * t * r <= PRODUCTS:
        products = _by_jvps(section, batch, next_rotation, rule, chunk)
    else:
        products = _by_vjps(section, batch, next_rotation, rule, _few(chunk, f))
    total = f.new_zeros(d, d, dtype=torch.float64, device=exact(f[:0]).device)
    for product in products:
        total += exact(product)
    return total


def closed_moment(
    section: Section, batch: Batch, next_rotation: Float[Tensor, "e r"], rule: Rule
) -> Float[Tensor, "d d"] | None:
    """Return what `second_moment` does, if there is a closed form for it."""
    f, counted = batch.activations[section.source.index], batch.mask(section.target)
    return section.kind.second_moment(f, next_rotation, rule, counted)


def estimated_moment(
    section: Section,
    batch: Batch,
    next_rotation: Float[Tensor, "e r"],
    rule: Rule,
    probes: int,
    chunk: int,
) -> tuple[Float[Tensor, "d d"], float]:
    """Return an estimate of what `second_moment` does, and its squared standard error.

    Each probe is one VJP along Σ_ti ε_ti C_i with random signs ε: the outer product of what comes
    back has N S · M' for its mean. The signs follow from the places of the samples in the data.
    """
    f = batch.activations[section.source.index]
    n, t = batch.activations[section.target.index].shape[:2]
    shape = (probes, t, next_rotation.shape[1])
    signs = torch.stack([random_signs(shape, batch.start + i, section) for i in range(n)], 1).to(f)
    parts = signs.split(_few(chunk, f))
    seeds = (_counted(part @ next_rotation.T, batch, section) for part in parts)
    total, squares = exact(f.new_zeros(())), 0.0
    for gradient in _gradients(section, batch, rule, seeds):
        rows = gradient.flatten(1, -2)
        each = exact(rows.mT @ rows)
        total = total + each.sum(0)
        squares += float(each.square().sum())
    mean = total / probes
    deviation = squares - probes * float(mean.square().sum())
    return mean, max(deviation, 0.0) / (probes * max(probes - 1, 1))


def random_signs(shape: tuple[int, ...], sample: int, section: Section) -> Tensor:
    """Return random signs that follow from a sample and a section."""
    generator = torch.Generator().manual_seed(sample * 1_000_003 + section.source.index)
    return torch.randint(0, 2, shape, generator=generator) * 2 - 1


def _few(chunk: int, f: Tensor) -> int:
    """Return how many backward passes go together."""
    return min(chunk, BACKWARD) if f.device.type == "cpu" else chunk


def _places(section: Section, positions: int) -> list[slice]:
    """Return the positions that go together: one by one, or all where none reaches another."""
    return [slice(None)] if section.local else [slice(i, i + 1) for i in range(positions)]


def column_gradients(
    section: Section, batch: Batch, next_rotation: Float[Tensor, "e r"], rule: Rule, chunk: int
) -> Iterator[Float[Tensor, "c n s d"]]:
    """Yield J_ts C_i, `chunk` columns i at a time, for one t after the other.

    Of a position-local section it is J_ss C_i, for all s at once.
    """
    seeds = _seeds(batch, section, next_rotation, chunk)
    return _gradients(section, batch, rule, seeds)


def _seeds(
    batch: Batch, section: Section, next_rotation: Tensor, chunk: int
) -> Iterator[Float[Tensor, "c n t e"]]:
    """Yield what is pulled back: the columns of C, at one output position after the other."""
    n, t = batch.activations[section.target.index].shape[:2]
    for place in _places(section, t):
        for columns in next_rotation.T.split(chunk):
            seeds = columns.new_zeros(len(columns), n, t, columns.shape[1])
            seeds[:, :, place] = columns[:, None, None]
            yield _counted(seeds, batch, section)


def _counted(seeds: Float[Tensor, "c n t e"], batch: Batch, section: Section) -> Tensor:
    mask = batch.mask(section.target)
    return seeds if mask is None else seeds * mask[..., None]


def _by_vjps(
    section: Section, batch: Batch, next_rotation: Tensor, rule: Rule, chunk: int
) -> Iterator[Float[Tensor, "d d"]]:
    """Yield summands of N S · M', one for each chunk of backward passes."""
    for gradient in column_gradients(section, batch, next_rotation, rule, chunk):
        rows = gradient.flatten(0, -2)
        yield rows.T @ rows


def _gradients(
    section: Section, batch: Batch, rule: Rule, seeds: Iterator[Float[Tensor, "c n t e"]]
) -> Iterator[Float[Tensor, "c n s d"]]:
    """Yield what comes back of each seed, averaged along the path, 0 where s does not count."""
    f, mask = batch.activations[section.source.index], batch.mask(section.source)
    pullbacks = [_pullback(section, batch, f, alpha) for alpha in rule.nodes]
    for seed in seeds:
        gradient = seed.new_zeros(len(seed), *f.shape)
        for weight, pullback in zip(rule.weights, pullbacks, strict=True):
            with quietly():
                gradient += weight * torch.func.vmap(pullback)(seed)[0]
        yield gradient if mask is None else gradient * mask[..., None]


def _pullback(
    section: Section, batch: Batch, f: Tensor, alpha: float
) -> Callable[[Tensor], tuple[Tensor]]:
    biases = section.scaled_biases(alpha)
    pullback: Callable[[Tensor], tuple[Tensor]]
    pullback = torch.func.vjp(lambda z: section(z, batch.constants, biases), alpha * f)[1]
    return pullback


def _by_jvps(
    section: Section, batch: Batch, next_rotation: Tensor, rule: Rule, chunk: int
) -> Iterator[Float[Tensor, "d d"]]:
    """Yield summands of N S · M', one for each input position, or one for all where local."""
    f, mask = batch.activations[section.source.index], batch.mask(section.source)
    counted = f.new_ones(f.shape[:2]) if mask is None else mask.to(f)
    for place in _places(section, f.shape[1]):
        rows = []
        for coordinates in torch.eye(f.shape[2], dtype=f.dtype, device=f.device).split(chunk):
            tangents = f.new_zeros(len(coordinates), *f.shape)
            tangents[:, :, place] = coordinates[:, None, None] * counted[:, place, None]
            moved = push_forward(section, batch, tangents, rule)
            rows.append((_counted(moved, batch, section) @ next_rotation).flatten(1))
        J = torch.cat(rows)
        yield J @ J.T
