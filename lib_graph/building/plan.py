"""Batches and chunks that keep passes within their memory, decided before they start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from lib_graph.building.likeness import unlike
from lib_graph.errors import UsageError
from lib_graph.method.basis import LayerBasis, RawBasis
from lib_graph.method.interactions import interaction_moments
from lib_graph.method.jacobians import closed_moment, second_moment
from lib_graph.method.network import Batch, Network, Section
from lib_graph.method.rules import Rule
from lib_graph.support.devices import free_bytes, on_card
from lib_graph.support.memory import format_bytes, highest_bytes, peak_bytes, resident_bytes

__all__ = ["Plan", "make_plan", "plan_passes"]

TABLES = 128 << 20  # what the libraries for tables take, which are loaded after the plan is made
LIBRARIES = 512 << 20  # what the interpreter and the libraries take, whatever the network
ROWS = 1024  # samples × positions in a batch: more do not fit the processor's caches
CARD_ROWS = 1 << 15  # on a card, which is not busy with fewer
WIDEST = 4096  # coordinates of a layer that may have a basis: a wider one is a vocabulary
CHUNKS = (16, 8, 4, 2, 1)
CARD_CHUNKS = (128, 64, 32, *CHUNKS)


Keep = Literal["card", "memory", "disk", "nowhere"]
KEPT = {
    "card": "kept on the card",
    "memory": "kept in memory",
    "disk": "kept on disk",
    "nowhere": "computed again for every pass",
}


@dataclass(frozen=True)
class Plan:
    """Samples per batch, features per chunk, where activations are kept, and bytes at the peak.

    Batches and chunks follow from the network, the data's size, the number of processes and the
    memory allowed alone, never from what the machine has free: the same build takes the same ones
    everywhere. On a card (`card`: the bytes at its peak) what is allowed follows from what it has
    free, unless that is said.
    """

    batch: int
    chunk: int
    keep: Keep
    peak: int
    card: int | None = None

    def __str__(self) -> str:
        card = "" if self.card is None else f", {format_bytes(self.card)} of the card's"
        return (
            f"batches of {self.batch}, chunks of {self.chunk}, activations {KEPT[self.keep]}, "
            f"about {format_bytes(self.peak)}{card}"
        )


def make_plan(
    network: Network,
    example: Sequence[Tensor],
    samples: int,
    memory: int,
    rule: Rule,
    *,
    features: Mapping[str, int] | None = None,
    top: int | None = None,
    sections: Sequence[Section] = (),
    processes: int = 1,
    disk: int = 0,
    card: int | None = None,
) -> Plan:
    """Return the plan for a build within `memory` bytes for each of the processes.

    Where the example is on a card, that may take `card` bytes of its own (default: FREE of what it
    has free), by which batches and chunks are then measured out.

    `features` says how many the layers have, by name, where that is known (else as many as they
    have coordinates), `top` how many of them interactions are computed for, the last layer's apart.
    What sections take, those of the network and `sections` beside them, is measured on two and four
    of the `example` inputs, once for all that are alike. Activations that do not fit beside are
    kept on disk if that has `disk` bytes for them. Raises UsageError if a single sample at a time
    needs more than there is, or if there are more processes than samples.
    """
    if processes > samples:
        raise UsageError(
            f"{processes} processes cannot share so few samples ({samples}). Start fewer."
        )
    widths = {layer.name: layer.width for layer in network.layers} | dict(features or {})
    carried = {name: min(width, top or width) for name, width in widths.items()}
    carried[network.layers[-1].name] = widths[network.layers[-1].name]
    every = (*network.sections, *sections)
    probes = _Probes.of(network, example)
    different = unlike(every, probes.small, widths, carried)
    closed = [_has_closed_moment(section, probes.small, rule) for section in different]

    def takes(probe: Batch, chunk: int) -> int:
        return max(
            _section_bytes(section, probe, rule, chunk, widths, carried, whole=whole)
            for section, whole in zip(different, closed, strict=True)
        )

    held = _result_bytes(network, carried)
    return _within(
        memory, samples, processes, probes, takes, held, disk=disk, card=card,
        what="The build", instead=", or cut the network at more layers",
    )  # fmt: skip


def plan_passes(
    networks: Sequence[Network],
    example: Sequence[Tensor],
    samples: int,
    memory: int,
    parts: Sequence[Callable[[Batch, int], Sequence[object]]],
    *,
    rows: int | None = None,
    beside: int = 0,
    keep: bool = True,
) -> Plan:
    """Return the plan for passes over the data of the first of some networks.

    What each of the `parts` takes of a batch and with a chunk, and what is held of its results, is
    measured as in `make_plan`; `beside` are bytes that are held for the whole time. A batch has up
    to `rows` samples × positions (default ROWS). Without `keep`, as for a single pass, activations
    are kept nowhere.

    Raises UsageError if a single sample at a time needs more than there is.
    """
    probes = _Probes.of(networks[0], example)

    def takes(probe: Batch, chunk: int) -> int:
        return max(peak_bytes(partial(part, probe, chunk)) for part in parts)

    results = max(_held_bytes(part(probes.small, 1)) for part in parts)
    return _within(
        memory, samples, 1, probes, takes, 2 * results + beside, rows=rows,
        weights=sum(map(_weights_bytes, networks)), keep=keep,
    )  # fmt: skip


@dataclass(frozen=True)
class _Probes:
    """Two and four samples in a network, to measure what each of many more takes."""

    network: Network
    small: Batch
    large: Batch

    @classmethod
    def of(cls, network: Network, example: Sequence[Tensor]) -> _Probes:
        return cls(network, *(network.run(*(_repeat(x, n) for x in example)) for n in (2, 4)))


def _within(
    memory: int,
    samples: int,
    processes: int,
    probes: _Probes,
    takes: Callable[[Batch, int], int],
    held: int,
    *,
    disk: int = 0,
    rows: int | None = None,
    weights: int | None = None,
    keep: bool = True,
    card: int | None = None,
    what: str = "This",
    instead: str = "",
) -> Plan:
    """Return the largest batches and chunks that fit, and where activations fit beside them."""
    network, device = probes.network, probes.small.activations[0].device
    *kept, last = (f[0].nbytes for f in probes.small.activations)
    activations, constants = sum(kept), _constant_bytes([probes.small, probes.large])
    weights = _weights_bytes(network) if weights is None else weights
    there = on_card(device)
    host = memory - LIBRARIES - weights
    taken, most = LIBRARIES + weights, memory
    if there:
        taken, most = weights, free_bytes(device) if card is None else card
    budget = most - taken
    for chunk in CARD_CHUNKS if there else CHUNKS:
        small, large = takes(probes.small, chunk), takes(probes.large, chunk)
        per_sample = max((large - small) // 2, 1) + activations + constants + last
        fixed = max(small - 2 * per_sample, 0) + held
        if fixed + per_sample <= budget:
            break
    else:
        option = "--device-memory" if there else "--memory"
        raise UsageError(
            f"{what} needs at least {format_bytes(taken + fixed + per_sample)} of memory, "
            f"not {format_bytes(most)}. Give it more with {option}{instead}."
        )
    positions = max(layer.positions for layer in network.layers)
    each = -(-samples // processes)
    wanted = CARD_ROWS if there else rows or ROWS
    batch = min((budget - fixed) // per_sample, max(wanted // positions, 1), samples // processes)
    batch = 1 << (int(batch).bit_length() - 1)
    working = fixed + batch * per_sample
    whole, tables = each * (activations + constants), each * constants
    left = budget - working
    off_card = host if there else left
    places: list[tuple[Keep, bool, int]] = [
        ("card", there and whole <= left, whole),
        ("memory", whole <= off_card, whole),
        ("disk", samples * activations < disk and tables <= off_card, tables),
    ]
    fitting = ((place, size) for place, fits, size in places if keep and fits)
    where, beside = next(fitting, ("nowhere", 0))
    on_card_too = beside if where == "card" else 0
    on_host = (0 if there else working) + beside - on_card_too
    peak = max(resident_bytes() + TABLES + on_host, highest_bytes())
    return Plan(batch, chunk, where, peak, taken + working + on_card_too if there else None)


def _held_bytes(parts: Sequence[object]) -> int:
    """Return the bytes of all tensors in what a pass sums up."""
    values = (getattr(part, field.name) for part in parts for field in fields(part))  # type: ignore[arg-type]
    return sum(value.nbytes for value in values if isinstance(value, Tensor))


def _weights_bytes(network: Network) -> int:
    """Return what the weights take, twice: the module's own, and those of the copy."""
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for section in network.sections
        for tensor in section.parameters.values()
    }
    return 2 * sum(storages.values())


def _constant_bytes(probes: Sequence[Batch]) -> int:
    """Return what the constants of a batch take for each of its samples."""
    small, large = (
        sum(x.nbytes for x in probe.constants if isinstance(x, Tensor)) for probe in probes
    )
    return (large - small) // (len(probes[1]) - len(probes[0]))


def _repeat(x: Tensor, n: int) -> Tensor:
    return x[:1].expand(n, *x.shape[1:]).contiguous()


def _has_closed_moment(section: Section, probe: Batch, rule: Rule) -> bool:
    one = _unit(section.target.width, probe.activations[section.target.index], 1)
    return closed_moment(section, probe, one.rotation, rule) is not None


def _section_bytes(
    section: Section,
    probe: Batch,
    rule: Rule,
    chunk: int,
    widths: Mapping[str, int],
    carried: Mapping[str, int],
    *,
    whole: bool,
) -> int:
    """Return the bytes at the peak of one chunk of either computation on a section.

    Second moments take the next layer's basis as a `whole` where they have a closed form.
    """
    source, target = section.source, section.target
    f = probe.activations[source.index]
    part = _unit(source.width, f).only(torch.arange(min(chunk, source.width, carried[source.name])))
    every, some = widths[target.name], carried[target.name]
    columns = _following(target.width, f, every if whole else chunk)
    following = _following(target.width, f, some)
    return max(
        peak_bytes(lambda: second_moment(section, probe, columns.rotation, rule, chunk)),
        peak_bytes(lambda: interaction_moments(section, probe, part, following, rule, chunk)),
    )


def _following(width: int, like: Tensor, features: int) -> LayerBasis | RawBasis:
    """Return a basis of so many features for a target layer, which is raw if it is wide."""
    if features == width > WIDEST:
        return RawBasis(width, like)
    return _unit(width, like, features)


def _unit(width: int, like: Tensor, features: int | None = None) -> LayerBasis:
    """Return a basis of the first unit vectors."""
    eye = torch.eye(width, features or width, dtype=like.dtype, device=like.device)
    return LayerBasis(eye, eye.T, like.new_zeros(width), None, None)


def _result_bytes(network: Network, carried: Mapping[str, int]) -> int:
    """Return what is held of all layers (Gram, rotation, inverse), and beside it the moments of the
    largest section's interactions with those of a batch, or an eigendecomposition.
    """
    squares = [layer.width**2 for layer in network.layers[:-1]]
    pairs = max(carried[s.source.name] * carried[s.target.name] for s in network.sections)
    return 8 * (3 * sum(squares) + max(8 * pairs, 5 * max(squares)))
