"""Growing a circuit by its definition: every detour and every path is listed, in fractions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import log2

from tests.queries.oracle import Oracle, Place

Feature = tuple[int, int]  # layer, index
Edge = tuple[Feature, Feature]


@dataclass(frozen=True)
class Net:
    """Interactions with their shares, and the features where paths begin and end."""

    shares: dict[Edge, Fraction]
    starts: frozenset[Feature]
    ends: frozenset[Feature]

    def flow(self, circuit: set[Edge]) -> Fraction:
        """Return the strengths of all whole paths in a circuit, added up."""

        def back(feature: Feature) -> Fraction:
            into = [edge for edge in circuit if edge[1] == feature]
            through = sum((self.shares[edge] * back(edge[0]) for edge in into), Fraction(0))
            return through + (feature in self.starts)

        return sum(map(back, self.ends), Fraction(0))

    def detours(self, circuit: set[Edge]) -> Iterator[tuple[Edge, ...]]:
        """Yield every detour, from its end back."""
        inside = {feature for edge in circuit for feature in edge}
        for end in self.ends | inside:
            yield from self._back(circuit, inside, end, ())

    def _back(
        self, circuit: set[Edge], inside: set[Feature], feature: Feature, found: tuple[Edge, ...]
    ) -> Iterator[tuple[Edge, ...]]:
        for edge in self.shares:
            if edge[1] == feature and edge not in circuit:
                if edge[0] in inside | self.starts:
                    yield (*found, edge)
                else:
                    yield from self._back(circuit, inside, edge[0], (*found, edge))

    def best(self, circuit: set[Edge], most: int) -> tuple[Edge, ...] | None:
        """Return the detour that the definition adds next, of the whole list of them."""
        before = self.flow(circuit)
        gains = {
            detour: (self.flow(circuit | {*detour}) - before) / len(detour)
            for detour in self.detours(circuit)
            if len(detour) <= most
        }
        if not gains:
            return None
        least = log2(max(gains.values())) - 1e-9
        return min(
            (detour for detour, gain in gains.items() if log2(gain) >= least),
            key=lambda detour: (len(detour), detour[0][1], [edge[0] for edge in detour]),
        )

    def grown(self, size: int) -> Iterator[set[Edge]]:
        """Yield the circuit as it grows to at most so many interactions, from nothing."""
        circuit: set[Edge] = set()
        yield circuit
        while detour := self.best(circuit, size - len(circuit)):
            circuit = circuit | {*detour}
            yield circuit

    @classmethod
    def of(cls, oracle: Oracle, source: Place, target: Place) -> Net:
        """Return the interactions of a run between two ends."""
        numbers = {layer.name: layer.index for layer in oracle.run.layers}
        shares = {
            ((numbers[layer] - 1, s), (numbers[layer], t)): Fraction(share)
            for (layer, t), inputs in oracle.inputs.items()
            for s, share in inputs
            if source[0] < numbers[layer] <= target[0]
        }
        ends = (
            frozenset((place[0], index) for index in oracle.ends(place, 1e-6))
            for place in (source, target)
        )
        return cls(shares, *ends)
