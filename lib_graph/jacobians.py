"""The second moment of a section's Jacobian (docs/method.md §3 and §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.devices import exact
from lib_graph.forward import push_forward
from lib_graph.kinds.position_local import PositionLocal
from lib_graph.network import Batch, Section
from lib_graph.rules import Rule

__all__ = ["JacobianMoment", "closed_moment", "estimated_moment", "second_moment"]


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

    J_ts = ∂F_t/∂f_s (d × d') is averaged over the path of `rule`, with the biases scaled along. A
    section that says what it is answers in closed form. Any other takes a VJP per output position
    and column of C, or a JVP per input position and coordinate, whichever are fewer, `chunk` of
    them at a time; one that is position-local, a VJP per column. The products are summed in
    float64. Positions that do not count are in neither sum.
    """
    closed = closed_moment(section, batch, next_rotation, rule)
    if closed is not None:
        return closed
    f = batch.activations[section.source.index]
    (_, s, d), t = f.shape, batch.activations[section.target.index].shape[1]
    local = isinstance(section.kind, PositionLocal)
    if not local and d * s < next_rotation.shape[1] * t:
        products = _by_jvps(section, batch, next_rotation, rule, chunk)
    else:
        seeds = _seeds(batch, section, next_rotation, chunk, local)
        products = _by_vjps(section, batch, rule, seeds)
    total = f.new_zeros(d, d, dtype=torch.float64, device=exact(f[:0]).device)
    for product in products:
        total += exact(product)
    return total


def closed_moment(
    section: Section, batch: Batch, next_rotation: Float[Tensor, "e r"], rule: Rule
) -> Float[Tensor, "d d"] | None:
    """Return what `second_moment` does, if there is a closed form for it."""
    if section.closed_form is None:
        return None
    f, counted = batch.activations[section.source.index], batch.mask(section.target)
    return section.closed_form.second_moment(f, next_rotation, rule, counted)


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
    back has N S · M' for its mean. The signs follow from the place of the batch in the data.
    """
    f = batch.activations[section.source.index]
    n, t = batch.activations[section.target.index].shape[:2]
    generator = torch.Generator().manual_seed(batch.start * 1_000_003 + section.source.index)
    shape = (probes, n, t, next_rotation.shape[1])
    signs = torch.randint(0, 2, shape, generator=generator).to(f) * 2 - 1
    seeds = (_counted(part @ next_rotation.T, batch, section) for part in signs.split(chunk))
    total, squares = torch.zeros(()), 0.0
    for gradient in _gradients(section, batch, rule, seeds):
        rows = gradient.flatten(1, -2)
        each = exact(rows.mT @ rows)
        total = total + each.sum(0)
        squares += float(each.square().sum())
    mean = total / probes
    deviation = squares - probes * float(mean.square().sum())
    return mean, max(deviation, 0.0) / (probes * max(probes - 1, 1))


def _seeds(
    batch: Batch, section: Section, next_rotation: Tensor, chunk: int, local: bool
) -> Iterator[Float[Tensor, "c n t e"]]:
    """Yield what is pulled back: the columns of C, at one output position after the other.

    Where nothing passes between positions, they stand at all positions at once.
    """
    n, t = batch.activations[section.target.index].shape[:2]
    for place in [slice(None)] if local else [slice(i, i + 1) for i in range(t)]:
        for columns in next_rotation.T.split(chunk):
            seeds = columns.new_zeros(len(columns), n, t, columns.shape[1])
            seeds[:, :, place] = columns[:, None, None]
            yield _counted(seeds, batch, section)


def _counted(seeds: Float[Tensor, "c n t e"], batch: Batch, section: Section) -> Tensor:
    mask = batch.mask(section.target)
    return seeds if mask is None else seeds * mask[..., None]


def _by_vjps(
    section: Section, batch: Batch, rule: Rule, seeds: Iterator[Float[Tensor, "c n t e"]]
) -> Iterator[Float[Tensor, "d d"]]:
    """Yield summands of N S · M', given all that is to be pulled back."""
    for gradient in _gradients(section, batch, rule, seeds):
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
    """Yield summands of N S · M', one for each input position."""
    f, mask = batch.activations[section.source.index], batch.mask(section.source)
    d = f.shape[2]
    for s in range(f.shape[1]):
        counted = f.new_ones(len(f)) if mask is None else mask[:, s].to(f)
        rows = []
        for coordinates in torch.eye(d, dtype=f.dtype, device=f.device).split(chunk):
            tangents = f.new_zeros(len(coordinates), *f.shape)
            tangents[:, :, s] = coordinates[:, None] * counted[:, None]
            moved = push_forward(section, batch, tangents, rule)
            rows.append((_counted(moved, batch, section) @ next_rotation).flatten(1))
        J = torch.cat(rows)
        yield J @ J.T
