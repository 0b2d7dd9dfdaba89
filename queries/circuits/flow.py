"""What flows in a circuit, and the best ways through what is not in it: docs/method.md §6."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from queries.circuits.between import NONE, Between, Logs, Mask

__all__ = ["Flow", "Ways", "best_ways", "flow_in"]


@dataclass(frozen=True, eq=False)
class Flow:
    """What flows in a circuit, by feature: ψ from the starts, φ to the ends."""

    from_starts: Logs
    to_ends: Logs


@dataclass(frozen=True, eq=False)
class Ways:
    """The best ways into each feature and out of it by features outside a circuit.

    A way in begins in the circuit or at a start and counts ψ of where it begins; a way out counts
    φ of where it ends. `flow` is ψ and φ, of features outside the circuit the best way itself.
    """

    ground: Between
    into: Logs
    out: Logs
    flow: Flow

    def gained(self, now: Flow) -> tuple[float, float]:
        """Return by how much, at most, ways in and ways out are better in a circuit grown since.

        Whatever has joined the circuit since has gained over the best way that there was.
        """
        then, inner, outer = self.flow, ~self.ground.ends, ~self.ground.starts
        return (
            _largest_gain(now.from_starts[inner], then.from_starts[inner]),
            _largest_gain(now.to_ends[outer], then.to_ends[outer]),
        )


def flow_in(ground: Between, kept: Mask) -> Flow:
    """Return the flow in the circuit of the interactions `kept`."""
    from_starts = np.where(ground.starts, 0.0, NONE)
    to_ends = np.where(ground.ends, 0.0, NONE)
    for _, edges in ground.into:
        own = edges.start + np.flatnonzero(kept[edges])
        through = from_starts[ground.source[own]] + ground.logs[own]
        np.logaddexp2.at(from_starts, ground.target[own], through)
    for _, out in reversed(ground.out_of):
        own = out[kept[out]]
        through = to_ends[ground.target[own]] + ground.logs[own]
        np.logaddexp2.at(to_ends, ground.source[own], through)
    return Flow(from_starts, to_ends)


def best_ways(ground: Between, joins: Mask, flow: Flow) -> Ways:
    """Return the best ways through what is not in a circuit.

    joins: at which features a way can begin or end.
    """
    into, out = (np.full(len(ground.layer), NONE) for _ in range(2))
    from_starts = np.where(ground.starts, flow.from_starts, NONE)
    to_ends = np.where(ground.ends, flow.to_ends, NONE)
    for number, (here, _) in enumerate(ground.into):
        into[here] = ground.best_into(number, from_starts[None])[0]
        from_starts[here] = np.where(joins[here], flow.from_starts[here], into[here])
    for number, (here, _) in reversed([*enumerate(ground.out_of)]):
        out[here] = ground.best_out(number, to_ends)
        to_ends[here] = np.where(joins[here], flow.to_ends[here], out[here])
    return Ways(ground, into, out, Flow(from_starts, to_ends))


def _largest_gain(now: Logs, then: Logs) -> float:
    known = now > NONE
    return float((now[known] - then[known]).max(initial=0.0))
