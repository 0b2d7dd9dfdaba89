"""What flows in a circuit, and the best ways through what is not in it: docs/method.md §6."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from queries.circuits.between import NONE, Between, Logs

__all__ = ["Flow", "Mask", "Ways", "best_ways", "flow_in"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Flow:
    """What flows in a circuit, by layer: ψ from the starts, φ to the ends."""

    from_starts: list[Logs]
    to_ends: list[Logs]


@dataclass(frozen=True, eq=False)
class Ways:
    """The best ways into each feature and out of it by features outside a circuit, by layer.

    A way in begins in the circuit or at a start and counts ψ of where it begins; a way out counts
    φ of where it ends. `flow` is ψ and φ, of features outside the circuit the best way itself.
    """

    into: list[Logs]
    out: list[Logs]
    flow: Flow

    def gained(self, now: Flow) -> tuple[float, float]:
        """Return by how much, at most, ways in and ways out are better in a circuit grown since.

        Whatever has joined the circuit since has gained over the best way that there was.
        """
        then = self.flow
        return (
            _largest_gain(now.from_starts[:-1], then.from_starts),
            _largest_gain(now.to_ends[1:], then.to_ends[1:]),
        )


def flow_in(ground: Between, kept: Sequence[Mask]) -> Flow:
    """Return the flow in the circuit of the interactions `kept`."""
    from_starts = [np.zeros(len(ground.features[0]))]
    to_ends = [np.zeros(len(ground.features[-1]))]
    numbers = [np.flatnonzero(each) for each in kept]
    for section, own in zip(ground.sections, numbers, strict=True):
        flow = np.full(section.targets, NONE)
        through = from_starts[-1][section.source[own]] + section.logs[own]
        np.logaddexp2.at(flow, section.target[own], through)
        from_starts.append(flow)
    for section, own in zip(ground.sections[::-1], numbers[::-1], strict=True):
        flow = np.full(section.sources, NONE)
        through = to_ends[-1][section.target[own]] + section.logs[own]
        np.logaddexp2.at(flow, section.source[own], through)
        to_ends.append(flow)
    return Flow(from_starts, to_ends[::-1])


def best_ways(ground: Between, joins: Sequence[Mask], flow: Flow) -> Ways:
    """Return the best ways through what is not in a circuit.

    joins: by layer, at which features a way can begin or end.
    """
    into = [np.full(len(ground.features[0]), NONE)]
    from_starts, to_ends = [flow.from_starts[0]], [flow.to_ends[-1]]
    for section, join, known in zip(ground.sections, joins[1:], flow.from_starts[1:], strict=True):
        into.append(section.best_into(from_starts[-1][None])[0])
        from_starts.append(np.where(join, known, into[-1]))
    out = [np.full(len(ground.features[-1]), NONE)]
    for section, join, known in zip(
        ground.sections[::-1], joins[-2::-1], flow.to_ends[-2::-1], strict=True
    ):
        out.append(section.best_out(to_ends[-1]))
        to_ends.append(np.where(join, known, out[-1]))
    return Ways(into, out[::-1], Flow(from_starts, to_ends[::-1]))


def _largest_gain(now: Sequence[Logs], then: Sequence[Logs]) -> float:
    gains = (
        float((new[new > NONE] - old[new > NONE]).max(initial=0.0))
        for new, old in zip(now, then, strict=False)
    )
    return max(gains, default=0.0)
