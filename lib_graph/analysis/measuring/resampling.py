"""How sparse the interactions of a section are, with what other data of its kind might have shown.

Samples are drawn again and again from those that there are (the bootstrap), and everything is
computed anew from each draw. The same draws serve for all runs on the same data, so that what two
runs differ by has an error of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lib_graph.analysis.measuring.strengths import SectionStrengths
from lib_graph.support.sparsity import (
    Floats,
    count_carrying,
    effective,
    gini,
    hoyer,
    mean_known,
)

__all__ = [
    "MEASURES",
    "drawn",
    "effective_sources",
    "measured_sections",
    "over_draws",
    "probe_error",
    "section_measures",
]

MEASURES = ("for_90", "for_99", "gini", "hoyer", "effective", "sources_90", "sources")
AT_ONCE = 1 << 25  # numbers that are measured together


def drawn(samples: int, draws: int, seed: int) -> Floats:
    """Return how often each sample counts: once in row 0, and in each further row as it was drawn.

    >>> drawn(3, 2, 0).sum(1).tolist()
    [3.0, 3.0, 3.0]
    """
    generator = np.random.default_rng(seed)
    rows = generator.multinomial(samples, np.full(samples, 1 / samples), draws)
    return np.concatenate([np.ones((1, samples)), rows])


def section_measures(strengths: Floats) -> Mapping[str, Floats]:
    """Return the sparsity of each of some sections, of shape ... × r × r', by the name of MEASURES.

    for_90, for_99, gini, hoyer, effective: of all pairs (`lib_graph.support.sparsity`).
    sources_90, sources: of the sources of a target, the mean over targets: how many of the
        strongest make up 90 %, and the effective number. What scales a target changes neither.
    """
    pairs = strengths.reshape(*strengths.shape[:-2], -1)
    into = np.swapaxes(strengths, -1, -2)
    return {
        "for_90": count_carrying(pairs, 0.90),
        "for_99": count_carrying(pairs, 0.99),
        "gini": gini(pairs),
        "hoyer": hoyer(pairs),
        "effective": effective(pairs),
        "sources_90": mean_known(count_carrying(into, 0.90)),
        "sources": effective_sources(strengths),
    }


def effective_sources(strengths: Floats) -> Floats:
    """Return the effective sources of a target, the mean over targets, of shape ... × r × r'."""
    return mean_known(effective(np.swapaxes(strengths, -1, -2)))


def measured_sections(sections: Iterable[SectionStrengths], weights: Floats) -> pd.DataFrame:
    """Return rows layer, measure, how, draw, value: MEASURES of each section and each draw.

    `weights` are those of `drawn`; `how` is exact or probed.
    """
    frames = []
    for section in sections:
        for how in ("exact", "probed"):
            squares = getattr(section, how)
            found = over_draws(squares, section.positions, weights, section_measures)
            for measure, values in found.items():
                rows: dict[str, Any] = {"layer": section.layer, "measure": measure, "how": how}
                frames.append(pd.DataFrame({**rows, "draw": range(len(values)), "value": values}))
    return pd.concat(frames, ignore_index=True)


def over_draws(
    squares: Floats,
    positions: Any,
    weights: Floats,
    measures: Callable[[Floats], Mapping[str, Floats]],
) -> dict[str, Floats]:
    """Return the measures of each draw, by name: of strengths, a few draws at a time."""
    n, *shape = squares.shape
    step = max(1, AT_ONCE // squares[0].size)
    parts = []
    for some in np.split(weights, range(step, len(weights), step)):
        total = (some @ squares.reshape(n, -1)) / (some @ positions)[:, None]
        parts.append(measures(total.reshape(-1, *shape)))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def probe_error(section: SectionStrengths) -> float:
    """Return the median relative error of one probe a sample, over the edges that carry 90 %.

    NaN of a section in which nothing flows.
    """
    exact, probed = section.exact.sum(0).ravel(), section.probed.sum(0).ravel()
    if not exact.any():
        return float("nan")
    order = np.argsort(-exact, kind="stable")[: int(count_carrying(exact, 0.90))]
    return float(np.median(np.abs(probed[order] / exact[order] - 1)))
