"""Grow a circuit from its end, one interaction at a time, by what flows."""

from __future__ import annotations

from collections.abc import Iterable

from lib_graph.errors import UsageError
from queries.asking.ends import End
from queries.asking.reader import Reader
from queries.asking.statements import read_text
from queries.circuits.circuit import Circuit, circuit_from_pairs

__all__ = ["grow_circuit"]

Pair = tuple[str, str]


def grow_circuit(reader: Reader, source: End, target: End, *, size: int) -> Circuit:
    """Return the circuit from `source` to `target` that grows greedily to at most `size`.

    Each end in `target` has the flow 1. A feature of the circuit has the sum of share times the
    flow of the target over its interactions in the circuit: the probability that a walk backwards,
    which stops where it leaves the circuit, comes by. Of all interactions into the circuit that
    are not in it, the one with the largest share times flow of its target is added, ties by id. The
    circuit is what of these lies on a path from `source` to `target`; it has grown when one more
    would make it larger than `size` interactions.

    Raises UsageError if the ends are in the wrong order, or if `size` is less than a single path
    has.
    """
    if source.layer >= target.layer:
        raise UsageError(
            f"No circuit leads from '{source.place}' to '{target.place}': the layer of the first "
            "must come before the layer of the second."
        )
    if size < (least := target.layer - source.layer):
        raise UsageError(
            f"The size is {size}. Ask for at least {least}: so many interactions has a path from "
            f"'{source.place}' to '{target.place}'."
        )
    growth = _Growth(reader, source, target)
    kept: set[Pair] = set()
    while growth.add() and len(found := growth.on_paths()) <= size:
        kept = found
    query = {"source": str(source.place), "target": str(target.place), "size": size}
    return circuit_from_pairs(reader, query, sorted(kept))


class _Growth:
    """A circuit that grows.

    `layers[n]` are its interactions out of layer n, with their shares; `waiting` has, for each of
    its features that can have inputs, those that are not in it, the strongest last.
    """

    def __init__(self, reader: Reader, source: End, target: End) -> None:
        self._reader = reader
        self._first = source.layer
        self._starts, self._ends = source.ids(reader.run), target.ids(reader.run)
        self._layers: dict[int, dict[Pair, float]] = {
            layer: {} for layer in range(source.layer, target.layer)
        }
        self._waiting: dict[str, list[tuple[float, str]]] = {}
        self._layer: dict[str, int] = {}
        self._flow = dict.fromkeys(self._ends, 1.0)
        self._take_in(self._ends, target.layer)

    def add(self) -> bool:
        """Add the interaction through which most flows; return False if there is none."""
        best = min(
            (
                (-self._flow[feature] * inputs[-1][0], inputs[-1][1], feature)
                for feature, inputs in self._waiting.items()
                if inputs
            ),
            default=None,
        )
        if best is None:
            return False
        _, source, target = best
        share, _ = self._waiting[target].pop()
        layer = self._layer[target] - 1
        self._layers[layer][source, target] = share
        if source not in self._layer and layer > self._first:
            self._take_in([source], layer)
        self._let_flow()
        return True

    def on_paths(self) -> set[Pair]:
        """Return the interactions on a path from a start to an end; all of them lead to an end."""
        reached = self._starts
        found: set[Pair] = set()
        for pairs in self._layers.values():
            kept = {pair for pair in pairs if pair[0] in reached}
            found |= kept
            reached = {target for _, target in kept}
        return found

    def _take_in(self, features: Iterable[str], layer: int) -> None:
        """Let features of a layer have inputs; in the first layer, only starts are inputs."""
        self._layer.update(dict.fromkeys(features, layer))
        rows = self._reader.frame(
            read_text("interactions_into"), targets=sorted(features), min_share=0.0
        )
        if layer - 1 == self._first:
            rows = rows[rows["source"].isin(self._starts)]
        rows = rows.sort_values(["share", "source"], ascending=[True, False])
        for target, inputs in rows.groupby("target"):
            shares = zip(inputs["share"].tolist(), inputs["source"].tolist(), strict=True)
            self._waiting[str(target)] = list(shares)

    def _let_flow(self) -> None:
        """Compute the flow of every feature of the circuit, from its ends backwards."""
        self._flow = dict.fromkeys(self._ends, 1.0)
        for pairs in reversed(self._layers.values()):
            for (source, target), share in sorted(pairs.items()):
                self._flow[source] = self._flow.get(source, 0.0) + share * self._flow[target]
