"""Answers by brute force, from the run folder alone: every path is listed and multiplied out."""

from __future__ import annotations

from itertools import pairwise
from math import prod

from lib_graph.run import Run

Place = tuple[int, int | None]  # a layer's number and a feature's index, or None for the layer


class Oracle:
    """Lists the paths of a run. Only for small runs."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.inputs: dict[tuple[str, int], list[tuple[int, float]]] = {}
        for row in run.interactions.itertuples():
            if row.share == row.share:
                into = self.inputs.setdefault((row.target_layer, row.target), [])
                into.append((row.source, row.share))

    def name(self, layer: int, index: int) -> str:
        return f"{self.run.id}/{self.run.layers[layer].name}/{index}"

    def ends(self, place: Place, min_importance: float) -> list[int]:
        layer = self.run.layers[place[0]]
        if place[1] is not None:
            return [place[1]]
        rows = self.run.features
        rows = rows[(rows["layer"] == layer.name) & (rows["role"] != "constant")]
        if layer.kind == "raw":
            return list(rows["index"])
        floor = min_importance * rows["importance"].max()
        return list(rows[rows["importance"] >= floor]["index"])

    def paths(
        self, source: Place, target: Place, *, min_importance: float = 1e-6
    ) -> dict[tuple[str, ...], list[float]]:
        """Return the shares of every path, by its ids."""
        found: dict[tuple[str, ...], list[float]] = {}
        starts = set(self.ends(source, min_importance))

        def back(layer: int, path: list[int], shares: list[float]) -> None:
            if layer == source[0]:
                if path[0] in starts:
                    ids = (self.name(source[0] + i, index) for i, index in enumerate(path))
                    found[tuple(ids)] = shares
                return
            here = (self.run.layers[layer].name, path[0])
            for index, share in self.inputs.get(here, []):
                back(layer - 1, [index, *path], [share, *shares])

        for end in self.ends(target, min_importance):
            back(target[0], [end], [])
        return found

    def circuit(
        self, source: Place, target: Place, min_share: float, *, min_importance: float = 1e-6
    ) -> set[tuple[str, str]]:
        """Return the interactions on some path whose every share is large enough."""
        paths = self.paths(source, target, min_importance=min_importance)
        kept = [path for path, shares in paths.items() if min(shares) >= min_share]
        return {pair for path in kept for pair in pairwise(path)}

    def strongest(self, paths: dict[tuple[str, ...], list[float]], k: int) -> list[float]:
        return sorted((prod(shares) for shares in paths.values()), reverse=True)[:k]
