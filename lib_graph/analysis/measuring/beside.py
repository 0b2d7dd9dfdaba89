"""How sparse some features of each layer are, of part of the samples, with errors (docs §18)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from lib_graph.analysis.measuring.resampling import (
    effective_sources,
    over_draws,
    section_measures,
)
from lib_graph.analysis.measuring.strengths import SectionStrengths
from lib_graph.analysis.reopening import Reopened
from lib_graph.method.dictionary import most_important
from lib_graph.support.sparsity import Floats

__all__ = ["BESIDE", "among_first"]

BESIDE = ("for_90", "effective", "sources")


def among_first(
    sections: Iterable[SectionStrengths],
    opened: Reopened,
    counts: Mapping[str, int],
    weights: Floats,
) -> pd.DataFrame:
    """Return rows layer, measure, draw, value: BESIDE of each section as it is, draw 0, and its
    sources in each draw.

    `sections` have the strengths among all features of the `opened` network; the measures are
    among the first of each layer by importance, so many as `counts` says, and all where it says
    nothing. `weights` are those of `resampling.drawn`.
    """
    layers = [layer.name for layer in opened.network.layers]
    frames = []
    for section, target in zip(sections, layers[1:], strict=True):
        first, second = (
            most_important(opened.bases[layer], counts.get(layer)).numpy()
            for layer in (section.layer, target)
        )
        squares = section.exact[:, first][:, :, second]
        whole = over_draws(squares, section.positions, weights[:1], section_measures)
        drawn = over_draws(
            squares, section.positions, weights[1:], lambda x: {"sources": effective_sources(x)}
        )["sources"]
        found = [(measure, 0, whole[measure].item()) for measure in BESIDE]
        found += [("sources", draw, value) for draw, value in enumerate(drawn.tolist(), start=1)]
        own = pd.DataFrame(found, columns=["measure", "draw", "value"])
        frames.append(own.assign(layer=section.layer))
    return pd.concat(frames, ignore_index=True)
