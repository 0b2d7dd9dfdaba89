"""The modularity that chance gives: modules found in shuffled graphs in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from queries.modules.graph import ModuleGraph
from queries.modules.modularity import METHODS, Method, modularity
from queries.modules.null_model import shuffled
from queries.modules.weighted import Floats, Ints

__all__ = ["UNASKED", "Chance", "Partition", "chance_of", "shuffled_graphs"]


@dataclass(frozen=True)
class Chance:
    """Mean and standard deviation of Q in `null` graphs; None of fewer than one, or two."""

    null: int = 0
    mean: float | None = None
    sd: float | None = None


UNASKED = Chance()


@dataclass(frozen=True, eq=False)
class Partition:
    """The module of each of `features`, numbered from 0 by size; Q at the resolution and at 1.

    `contributions` is what each module adds to Q, None where that was not found.
    """

    features: pd.DataFrame
    community: Ints
    modularity: float
    modularity_at_1: float
    chance: Chance = UNASKED
    contributions: Floats | None = None


def shuffled_graphs(graph: ModuleGraph, seed: int, null: int) -> list[ModuleGraph]:
    """Return `null` graphs without modules (`queries.modules.null_model`)."""
    return [
        ModuleGraph(graph.features, shuffled(graph.edges, graph.section, generator), graph.section)
        for generator in (np.random.default_rng([seed, n]) for n in range(null))
    ]


def chance_of(
    graphs: Sequence[ModuleGraph], method: Method, resolution: float, seed: int
) -> Chance:
    """Return the Q at `resolution` of what `method` finds in the graphs."""
    found: Floats = np.array(
        [
            modularity(
                graph.edges,
                METHODS[method](graph.edges, resolution=resolution, seed=seed),
                resolution,
            )
            for graph in graphs
        ]
    )
    return Chance(
        len(found),
        float(found.mean()) if len(found) else None,
        float(found.std(ddof=1)) if len(found) > 1 else None,
    )
