"""Circuits that grow by detours: docs/method.md §6.

A detour leaves the circuit, or begins at a start, and comes back to it, or ends at an end; the
features between are not in the circuit. Gains are logarithms to base 2, so that paths through any
number of layers can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from queries.circuits.between import NONE, Between, Logs
from queries.circuits.flow import Mask, best_ways, flow_in

__all__ = ["Detour", "Growth"]

TIE = 1e-9  # gains that are as near to each other are equal
STALE = 1.0  # the best ways are found anew when they may be better by a factor of more than 2


@dataclass(frozen=True)
class Detour:
    """The numbers of a detour's interactions, one in each section from `first` on.

    2^gain is what it adds to the flow of the circuit, per interaction.
    """

    gain: float
    first: int
    interactions: tuple[int, ...]


class Growth:
    """A circuit in what lies between two ends. It begins empty.

    `kept[l]` says which interactions of section l it has, `joins[l]` at which features of layer l
    a detour can begin or end: those of the circuit, the starts, and the ends.
    """

    def __init__(self, ground: Between) -> None:
        self._ground = ground
        self.kept = [np.zeros(len(section), bool) for section in ground.sections]
        self.joins = [np.zeros(len(features), bool) for features in ground.features]
        self.joins[0][:] = self.joins[-1][:] = True
        self._flow = flow_in(ground, self.kept)
        self._ways = best_ways(ground, self.joins, self._flow)
        self._floor = NONE

    def __len__(self) -> int:
        return sum(int(kept.sum()) for kept in self.kept)

    def add(self, detour: Detour) -> None:
        """Add a detour."""
        for layer, number in enumerate(detour.interactions, detour.first):
            section = self._ground.sections[layer]
            self.kept[layer][number] = True
            self.joins[layer][section.source[number]] = True
            self.joins[layer + 1][section.target[number]] = True
        self._flow = flow_in(self._ground, self.kept)
        if sum(self._ways.gained(self._flow)) > STALE:
            self._ways = best_ways(self._ground, self.joins, self._flow)

    def best(self, most: int) -> Detour | None:
        """Return the detour with the largest gain that adds at most `most` interactions.

        Of those with the same gain the shortest, of these the one that ends in the first layer,
        and then whose features, from its end back, have the smallest indices. None if there is
        none.
        """
        while True:
            walks = self._walks(most, self._floor)
            gains = list(map(_gains, walks, self._flow.to_ends))
            gain = max(float(each.max(initial=NONE)) for each in gains)
            if gain >= self._floor:
                break
            self._floor = gain  # a detour has it, so none that is better is left out now
        self._floor = gain - 1
        return None if gain == NONE else self._traced(walks, gains, gain)

    def shortest(self) -> int | None:
        """Return of how many interactions the shortest detour is; None if there is none."""
        walks = self._walks(len(self.kept), NONE)
        ends = (walk[:, joins] for walk, joins in zip(walks, self.joins, strict=True))
        hops = [np.flatnonzero((walk > NONE).any(axis=1)) + 1 for walk in ends]
        return min((int(each[0]) for each in hops if len(each)), default=None)

    def _walks(self, most: int, floor: float) -> list[Logs]:
        """Return ψ times the shares of the best way into each feature, by layer and length.

        walks[l][k - 1] is of those ways of k interactions, at most `most`, that begin where a
        detour can and go by features that are not in the circuit. What can only be on detours of
        less gain than `floor` may be missing.
        """
        sources, targets = self._worth(floor)
        walks = [np.zeros((0, len(self.joins[0])))]
        for layer, section in enumerate(self._ground.sections):
            numbers = np.flatnonzero(np.repeat(targets[layer + 1], section.inputs))
            numbers = numbers[sources[layer][section.source[numbers]] & ~self.kept[layer][numbers]]
            on = np.where(self.joins[layer], NONE, walks[layer])
            rows = np.vstack([self._flow.from_starts[layer], on])
            walks.append(section.best_into(rows[:most], numbers))
        return walks

    def _worth(self, floor: float) -> tuple[list[Mask], list[Mask]]:
        """Return which features a detour of a gain of `floor` or more can leave, and reach."""
        gained_in, gained_out = self._ways.gained(self._flow)
        sources, targets = [], []
        for layer, joins in enumerate(self.joins):
            into, out = self._ways.into[layer] + gained_in, self._ways.out[layer] + gained_out
            within = into + out - 1  # the detour has at least two interactions
            leaving = np.where(joins, self._flow.from_starts[layer] + out, within)
            reaching = np.where(joins, into + self._flow.to_ends[layer], within)
            sources.append(leaving >= floor - 2 * TIE)
            targets.append(reaching >= floor - 2 * TIE)
        return sources, targets

    def _traced(self, walks: list[Logs], gains: list[Logs], gain: float) -> Detour:
        """Return the detour of a gain, traced from its end back."""
        least = gain - TIE
        length, layer, feature = min(
            (length, layer, int(np.argmax(row >= least)))
            for layer, rows in enumerate(gains)
            for length, row in enumerate(rows, 1)
            if (row >= least).any()
        )
        rest = float(self._flow.to_ends[layer][feature]) - np.log2(length)
        interactions: list[int] = []
        for before in range(length - 1, -1, -1):
            layer -= 1
            section, joins = self._ground.sections[layer], self.joins[layer]
            numbers = np.flatnonzero((section.target == feature) & ~self.kept[layer])
            source = section.source[numbers]
            if before:
                way = np.where(joins, NONE, walks[layer][before - 1])
            else:
                way = self._flow.from_starts[layer]
            through = way[source] + section.logs[numbers] + rest
            chosen = int(np.argmax(through >= least))
            interactions.append(int(numbers[chosen]))
            rest += float(section.logs[numbers[chosen]])
            feature = int(source[chosen])
        return Detour(gain, layer, tuple(interactions[::-1]))


def _gains(walks: Logs, to_ends: Logs) -> Logs:
    """Return the gains of the detours that end with the best ways into each feature, by length."""
    return walks + to_ends - np.log2(np.arange(1, len(walks) + 1))[:, None]
