"""Dictionaries against bases with as few features as rebuild as much of each layer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd

from lib_graph.run import Run
from lib_graph.support.sparsity import Floats, mean_known
from lib_graph.support.tables import Record
from queries.comparing.sparsity import section_sparsity

__all__ = ["enough", "rebuilt_rows"]

MEASURES = ("for_90", "effective", "sources")
REBUILT = ("network", "dictionary", "basis", "features", "explained", *MEASURES, "ratio")


def rebuilt_rows(
    network: str,
    runs: Mapping[str, Run],
    told: Mapping[str, pd.DataFrame],
    dictionaries: Collection[str],
) -> pd.DataFrame:
    """Return how sparse each dictionary is, and each basis at equal reconstruction (docs §18).

    A dictionary has all of its features; of each layer of a basis those of the first by importance
    that rebuild as much of its variance. `runs`, and the shares that their first n features
    rebuild (`told`), are by what the basis is called. features, explained: means over layers; the
    measures: over sections; ratio: the dictionary's sources by the basis's, the geometric mean over
    sections.
    """
    shares = {name: _by_layer(frame) for name, frame in told.items()}
    rows: list[Record] = []
    for name in dictionaries:
        whole = {layer: len(known) for layer, known in shares[name].items()}
        own = _measured(runs[name], whole)
        for other in (name, *(each for each in runs if each not in dictionaries)):
            known = shares[other]
            counts = {layer: enough(known[layer], shares[name][layer][-1]) for layer in known}
            counts = whole if other == name else counts
            found = own if other == name else _measured(runs[other], counts)
            ratios = np.log(own["sources"].to_numpy() / found["sources"].to_numpy())
            rows.append(
                {
                    "network": network,
                    "dictionary": name,
                    "basis": other,
                    "features": float(np.mean(list(counts.values()))),
                    "explained": float(np.mean([known[x][n - 1] for x, n in counts.items()])),
                    **{measure: float(found[measure].mean()) for measure in MEASURES},
                    "ratio": float(np.exp(mean_known(ratios))),
                }
            )
    return pd.DataFrame(rows, columns=list(REBUILT))


def enough(explained: Floats, wanted: float) -> int:
    """Return how many of the first features tell as much as is wanted; all if none do.

    >>> enough(np.array([0.5, 0.8, 1.0]), 0.8), enough(np.array([0.5, 0.6]), 0.8)
    (2, 2)
    """
    reached = np.flatnonzero(explained >= wanted)
    return int(reached[0]) + 1 if len(reached) else len(explained)


def _by_layer(frame: pd.DataFrame) -> dict[str, Floats]:
    """Return the shares that the first n features rebuild, n = 1 to all, by layer."""
    return {
        str(layer): own.sort_values("features")["explained"].to_numpy()
        for layer, own in frame.groupby("layer", sort=False)
    }


def _measured(run: Run, counts: Mapping[str, int]) -> pd.DataFrame:
    """Return a row of measures for each section, among so many features of each layer."""
    features = run.features[run.features["role"] != "constant"]
    among = {
        str(layer): pd.Index(
            own.sort_values("importance", ascending=False, kind="stable")["index"].iloc[
                : counts.get(str(layer))
            ]
        )
        for layer, own in features.groupby("layer", sort=False)
    }
    layers = [layer.name for layer in run.layers]
    rows = []
    for source, target, section in zip(layers, layers[1:], run.sections(), strict=False):
        _, sparse = section_sparsity(section, among[source], among[target])
        rows.append({name: asdict(sparse)[name] for name in MEASURES})
    return pd.DataFrame(rows, dtype=float)
