"""Circuits that grow by detours: docs/method.md §6.

A detour leaves the circuit, or begins at a start, and comes back to it, or ends at an end; the
features between are not in the circuit. Gains are logarithms to base 2, so that paths through any
number of layers can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from queries.circuits.between import NONE, Between, Logs, Mask
from queries.circuits.flow import best_ways, flow_in

__all__ = ["Detour", "Growth"]

TIE = 1e-9  # gains that are as near to each other are equal
STALE = 1.0  # the best ways are found anew when they may be better by a factor of more than 2


@dataclass(frozen=True)
class Detour:
    """The numbers of a detour's interactions, from its first on.

    2^gain is what it adds to the flow of the circuit, per interaction.
    """

    gain: float
    interactions: tuple[int, ...]


class Growth:
    """A circuit in what lies between two ends. It begins empty.

    `kept` says which interactions it has, `joins` at which features a detour can begin or end:
    those of the circuit, the starts, and the ends.
    """

    def __init__(self, ground: Between) -> None:
        self._ground = ground
        self.kept = np.zeros(len(ground), dtype=bool)
        self.joins = ground.starts | ground.ends
        self._flow = flow_in(ground, self.kept)
        self._ways = best_ways(ground, self.joins, self._flow)
        self._floor = NONE

    def __len__(self) -> int:
        return int(self.kept.sum())

    def add(self, detour: Detour) -> None:
        """Add a detour."""
        numbers = list(detour.interactions)
        self.kept[numbers] = True
        self.joins[self._ground.source[numbers]] = True
        self.joins[self._ground.target[numbers]] = True
        self._flow = flow_in(self._ground, self.kept)
        if sum(self._ways.gained(self._flow)) > STALE:
            self._ways = best_ways(self._ground, self.joins, self._flow)

    def best(self, most: int) -> Detour | None:
        """Return the detour with the largest gain that adds at most `most` interactions.

        Of those with the same gain the shortest, of these the one that ends in the first layer,
        and then whose features, from its end back, come first by layer and index. None if there is
        none.
        """
        while True:
            walks = self._walks(most, self._floor)
            gains = walks + self._flow.to_ends - np.log2(np.arange(1, len(walks) + 1))[:, None]
            gain = float(gains.max(initial=NONE))
            if gain >= self._floor:
                break
            self._floor = gain  # a detour has it, so none that is better is left out now
        self._floor = gain - 1
        return None if gain == NONE else self._traced(walks, gains, gain)

    def shortest(self) -> int | None:
        """Return of how many interactions the shortest detour is; None if there is none."""
        ends = self._walks(self._ground.depth, NONE)[:, self.joins]
        hops = np.flatnonzero((ends > NONE).any(axis=1)) + 1
        return int(hops[0]) if len(hops) else None

    def _walks(self, most: int, floor: float) -> Logs:
        """Return ψ times the shares of the best way into each feature, by length.

        walks[k - 1] is of those ways of k interactions, at most `most`, that begin where a detour
        can and go by features that are not in the circuit. What can only be on detours of less gain
        than `floor` may be missing.
        """
        ground = self._ground
        leaving, reaching = self._worth(floor)
        walks = np.full((max(0, min(most, ground.depth - 1)), len(self.joins)), NONE)
        for number, (here, edges) in enumerate(ground.into):
            fits = leaving[ground.source[edges]] & reaching[ground.target[edges]]
            numbers = edges.start + np.flatnonzero(fits & ~self.kept[edges])
            before = slice(0, here.start)  # so many layers before, so many lengths
            on = np.where(self.joins[before], NONE, walks[:number, before])
            rows = np.vstack([self._flow.from_starts[before], on])[: len(walks)]
            walks[: len(rows), here] = ground.best_into(number, rows, numbers)
        return walks

    def _worth(self, floor: float) -> tuple[Mask, Mask]:
        """Return which features a detour of a gain of `floor` or more can leave, and reach."""
        gained_in, gained_out = self._ways.gained(self._flow)
        into, out = self._ways.into + gained_in, self._ways.out + gained_out
        within = into + out - 1  # the detour has at least two interactions
        leaving = np.where(self.joins, self._flow.from_starts + out, within)
        reaching = np.where(self.joins, into + self._flow.to_ends, within)
        return leaving >= floor - 2 * TIE, reaching >= floor - 2 * TIE

    def _traced(self, walks: Logs, gains: Logs, gain: float) -> Detour:
        """Return the detour of a gain, traced from its end back."""
        ground, least = self._ground, gain - TIE
        length = int(np.argmax((gains >= least).any(axis=1))) + 1
        feature = int(np.argmax(gains[length - 1] >= least))
        rest = float(self._flow.to_ends[feature]) - np.log2(length)
        interactions: list[int] = []
        for before in range(length - 1, -1, -1):
            numbers = ground.inputs(feature)
            numbers = numbers[~self.kept[numbers]]
            source = ground.source[numbers]
            if before:
                way = np.where(self.joins, NONE, walks[before - 1])
            else:
                way = self._flow.from_starts
            through = way[source] + ground.logs[numbers] + rest
            chosen = int(np.argmax(through >= least))
            interactions.append(int(numbers[chosen]))
            rest += float(ground.logs[numbers[chosen]])
            feature = int(source[chosen])
        return Detour(gain, tuple(interactions[::-1]))
