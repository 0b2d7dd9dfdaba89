"""Batches and chunks that keep a build within its memory, decided before it starts."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from jaxtyping import Bool
from torch import Tensor

from lib_graph.basis import LayerBasis, raw_basis
from lib_graph.errors import UsageError
from lib_graph.interactions import interaction_moments
from lib_graph.jacobians import second_moment
from lib_graph.memory import format_bytes, peak_bytes
from lib_graph.network import Batch, Network, Section
from lib_graph.rules import Rule

__all__ = ["Plan", "Samples", "make_plan"]

LIBRARIES = 512 << 20  # what the interpreter and the libraries take, whatever the network
ROWS = 1024  # samples × positions in a batch: more do not fit the processor's caches
CHUNKS = (8, 4, 2, 1)


@dataclass(frozen=True)
class Plan:
    """Samples per batch, features per chunk, whether activations are kept, and bytes at the peak.

    It follows from the network, the data's size and the memory allowed alone, never from what the
    machine has free: the same build takes the same batches everywhere.
    """

    batch: int
    chunk: int
    keep: bool
    peak: int

    def __str__(self) -> str:
        kept = "kept in memory" if self.keep else "computed again for every pass"
        return (
            f"batches of {self.batch} samples, chunks of {self.chunk} features, activations "
            f"{kept}; about {format_bytes(self.peak)} of memory"
        )


def make_plan(network: Network, inputs: Sequence[Tensor], rule: Rule, memory: int) -> Plan:
    """Return the plan for a build over `inputs` within `memory` bytes.

    What the sections take is measured on two and four samples. Raises UsageError if a single sample
    at a time needs more than there is.
    """
    samples = len(inputs[0])
    probes = [network.run(*(_repeat(x, n) for x in inputs)) for n in (2, 4)]
    activations = sum(f[0].nbytes for f in probes[0].activations)
    budget = memory - LIBRARIES
    for chunk in CHUNKS:
        small, large = (
            max(_section_bytes(s, probe, rule, chunk) for s in network.sections) for probe in probes
        )
        per_sample = max((large - small) // 2, 1) + activations
        fixed = max(small - 2 * per_sample, 0) + _result_bytes(network)
        if fixed + per_sample <= budget:
            break
    else:
        raise UsageError(
            f"The build needs at least {format_bytes(LIBRARIES + fixed + per_sample)} of memory, "
            f"not {format_bytes(memory)}. Give it more with --memory, or cut the network at more "
            "layers."
        )
    positions = max(layer.positions for layer in network.layers)
    batch = min((budget - fixed) // per_sample, max(ROWS // positions, 1), samples)
    batch = 1 << (int(batch).bit_length() - 1)
    working = fixed + batch * per_sample
    keep = working + samples * activations <= budget
    return Plan(batch, chunk, keep, _resident() + working + keep * samples * activations)


def _repeat(x: Tensor, n: int) -> Tensor:
    return x[:1].expand(n, *x.shape[1:]).contiguous()


def _section_bytes(section: Section, probe: Batch, rule: Rule, chunk: int) -> int:
    """Return the bytes at the peak of one chunk of either computation on a section."""
    f = probe.activations[section.source.index]
    basis = raw_basis(section.source.width).to(f.dtype)
    part = LayerBasis(basis.rotation[:, :chunk], basis.inverse[:chunk], basis.mean, None, None)
    following = raw_basis(section.target.width).to(f.dtype)
    columns = following.rotation if section.kind else following.rotation[:, :chunk]
    return max(
        peak_bytes(lambda: second_moment(section, probe, columns, rule, chunk)),
        peak_bytes(lambda: interaction_moments(section, probe, part, following, rule, chunk)),
    )


def _result_bytes(network: Network) -> int:
    """Return what the moments of the largest section's interactions take, with a batch's beside."""
    pairs = max(s.source.width * s.target.width for s in network.sections)
    return 8 * 8 * pairs


def _resident() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@dataclass
class Samples:
    """The data as batches of activations; kept after the first pass where the plan says so."""

    network: Network
    inputs: Sequence[Tensor]
    plan: Plan
    counted: Bool[Tensor, "n s"] | None = None
    _kept: list[Batch] = field(default_factory=list)

    def __len__(self) -> int:
        """The number of batches."""
        return -(-len(self.inputs[0]) // self.plan.batch)

    def __iter__(self) -> Iterator[Batch]:
        if len(self._kept) == len(self):
            yield from self._kept
            return
        self._kept.clear()
        for start in range(0, len(self.inputs[0]), self.plan.batch):
            here = slice(start, start + self.plan.batch)
            batch = self.network.run(*(x[here] for x in self.inputs))
            if self.counted is not None:
                batch = replace(batch, counted=self.counted[here])
            if self.plan.keep:
                self._kept.append(batch)
            yield batch
