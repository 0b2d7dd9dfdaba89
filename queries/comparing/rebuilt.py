"""Dictionaries against bases with as few features as rebuild as much of each layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd

from lib_graph.analysis.measuring.rebuilding import enough
from lib_graph.run import Run
from lib_graph.support.sparsity import Floats
from lib_graph.support.tables import Record
from queries.comparing.sparsity import section_sparsity
from queries.comparing.study_cases import StudyCase

__all__ = ["REBUILT", "rebuilt_rows"]

MEASURES = ("for_90", "effective", "sources")
REBUILT = ("network", "dictionary", "basis", "features", "explained", *MEASURES, "ratio")


def rebuilt_rows(runs: Mapping[StudyCase, Run], told: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return how sparse each dictionary is, and each basis at equal reconstruction (docs §18).

    A dictionary has all of its features; of each layer of a basis those of the first by importance
    that rebuild as much of its variance. `told` are the shares that the first n features rebuild,
    by what the case is called. features, explained: means over layers; the measures: over sections;
    ratio: the dictionary's sources by the basis's, the geometric mean over sections.
    """
    shares = {name: _by_layer(frame) for name, frame in told.items()}
    rows: list[Record] = []
    for case, run in runs.items():
        if case.expansion is None:
            continue
        whole = {layer: len(own) for layer, own in shares[case.called].items()}
        wanted = {layer: float(own[-1]) for layer, own in shares[case.called].items()}
        own = _measured(run, whole)
        for other, beside in runs.items():
            if other.expansion is not None and other != case:
                continue
            known = shares[other.called]
            counts = whole if other == case else {x: enough(known[x], wanted[x]) for x in known}
            found = own if other == case else _measured(beside, counts)
            ratios = np.log(own["sources"].to_numpy() / found["sources"].to_numpy())
            explained = [known[layer][n - 1] for layer, n in counts.items()]
            rows.append(
                {
                    "network": case.network,
                    "dictionary": case.called,
                    "basis": other.called,
                    "features": float(np.mean(list(counts.values()))),
                    "explained": float(np.mean(explained)),
                    **{name: float(found[name].mean()) for name in MEASURES},
                    "ratio": float(np.exp(np.nanmean(ratios))),
                }
            )
    return pd.DataFrame(rows, columns=list(REBUILT))


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
