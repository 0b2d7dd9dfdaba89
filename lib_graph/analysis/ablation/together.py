"""Ablations of all sections, or of all layers, at once (docs/method.md §13).

How to ask, of a run's bench: the rows hold the numbers required, and all that was scored for them.

    found = edges_together(Bench.of(run), deltas=(0.01, 0.1))
    found[found["kind"] == "edges_required"]  # a row for each delta

Scores are shared by all the deltas, and by later calls on the same bench.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

import pandas as pd
import torch
from torch import Tensor

from lib_graph.analysis.ablation.bench import Bench
from lib_graph.analysis.ablation.bisection import required
from lib_graph.analysis.ablation.circuits import first_of, masked_score, ranked
from lib_graph.analysis.ablation.curves import RANDOM_ANSWERS, required_rows, table_of
from lib_graph.analysis.ablation.masks import edges_of
from lib_graph.analysis.ablation.narrowing import narrowed
from lib_graph.analysis.ablation.scored import ScoredBatch
from lib_graph.data.evaluation import Total
from lib_graph.method.ends import Ends
from lib_graph.method.network import Layer
from lib_graph.support import defaults
from lib_graph.support.progress import USUAL, Progress

__all__ = ["edges_together", "nodes_score", "nodes_together"]

Kept = Mapping[str, Tensor]
"""layer → the numbers of the features that are kept"""


def edges_together(
    bench: Bench,
    *,
    deltas: Sequence[float] = (defaults.DELTA,),
    rank: Literal["strength", "share"] = defaults.RANK,
    seed: int = defaults.SEED,
    progress: Progress = USUAL,
) -> pd.DataFrame:
    """Return the score with the n first interactions of all sections at once (rows of ABLATION).

    They are ranked over all sections by `rank`, the constant sources left out, which are always
    kept; features are computed from those that the sections before computed so. The n are 0, all,
    and those that bisection tries on its way to the number required at each of the `deltas` (rows
    `edges_required`). `layer` is null. `random_score`: as many interactions in each section at
    random, on up to RANDOM_ANSWERS answers.

    Raises NotFoundError for another rank, UsageError if not even all interactions keep the score.
    """
    edges, generator = edges_of(bench.run), torch.Generator().manual_seed(seed)
    order = ranked(edges, rank)
    shuffled = {name: own.shuffled(generator) for name, own in edges.items()}
    sampled = bench.sampled(RANDOM_ANSWERS)

    def score(n: int) -> float:
        chosen = first_of(edges, order, n)
        return masked_score(bench, {name: edges[name].mask(chosen[name]) for name in edges})

    def at_random(n: int) -> float:
        sizes = {name: len(each) for name, each in first_of(edges, order, n).items()}
        masks = {name: own.mask(shuffled[name][: sizes[name]]) for name, own in edges.items()}
        return masked_score(sampled, masks)

    with progress.stage("edges together", 1) as advance:
        found = required(
            score, len(order), deltas, metric=bench.metric, baseline=bench.baseline,
            what="the graph",
        )  # fmt: skip
        advance(1)
        random = {n: at_random(n) for n in sorted(found.scores)}
    return table_of(bench, required_rows("edge", "edges", None, found, random))


def nodes_together(
    bench: Bench,
    *,
    deltas: Sequence[float] = (defaults.DELTA,),
    seed: int = defaults.SEED,
    progress: Progress = USUAL,
) -> pd.DataFrame:
    """Return the score with the n first features of all layers at once (rows of ABLATION).

    Features are ranked over all layers that are not raw by their share of the importance of their
    layer; all others are at their mean, and each layer is computed from what is kept of the one
    before. `nodes` counts the constant features, one of each of these layers, which are always
    kept. Else as `edges_together`, with `nodes_required` for each of the `deltas`.

    Raises UsageError if not even all features keep the score.
    """
    layers, generator = _with_features(bench), torch.Generator().manual_seed(seed)
    order = _by_share(bench, layers)
    shuffled = {
        layer.name: torch.randperm(bench.bases[layer.name].features, generator=generator)
        for layer in layers
    }
    sampled = bench.sampled(RANDOM_ANSWERS)

    def kept(n: int) -> dict[str, Tensor]:
        return {x.name: order[:n][order[:n, 0] == x.index][:, 1].sort().values for x in layers}

    def score(n: int) -> float:
        return nodes_score(bench, kept(n))

    def at_random(n: int) -> float:
        drawn = {name: shuffled[name][: len(each)].sort().values for name, each in kept(n).items()}
        return nodes_score(sampled, drawn)

    with progress.stage("nodes together", 1) as advance:
        found = required(
            score, len(order), deltas, metric=bench.metric, baseline=bench.baseline,
            what="the features",
        )  # fmt: skip
        advance(1)
        random = {n: at_random(n) for n in sorted(found.scores)}
    return table_of(bench, required_rows("node", "nodes", None, found, random, len(layers)))


def nodes_score(bench: Bench, kept: Kept) -> float:
    """Return the score with some features of every layer that is not raw, by number."""
    layers, bases = _with_features(bench), bench.bases

    def scoring(scored: ScoredBatch) -> list[Total]:
        features = scored.features(layers[0])[..., kept[layers[0].name]]
        for source, target in pairwise(layers):
            some, read = kept[source.name], kept[target.name]
            basis, following = bases[source.name], bases[target.name]
            ends = Ends(basis.inverse[some], basis.origin, following.rotation[:, read])
            section = bench.network.sections[source.index]
            features = narrowed(section, ends)(features, scored.batch.constants)
            features = features + following.offset[read]
        return [scored.total(layers[-1], features, kept[layers[-1].name])]

    return bench.scores("nodes together", [kept[layer.name] for layer in layers], scoring)[0]


def _with_features(bench: Bench) -> list[Layer]:
    """Return the layers that are not raw: all, or all but the last."""
    return [layer for layer in bench.network.layers if not bench.bases[layer.name].raw]


def _by_share(bench: Bench, layers: Sequence[Layer]) -> Tensor:
    """Return (layer, number) of all features, by falling share of their layer's importance."""
    shares, found = [], []
    for layer in layers:
        importance = bench.bases[layer.name].importance
        assert importance is not None  # of a layer that is not raw
        shares.append(importance / importance.sum())
        numbers = torch.arange(len(importance))
        found.append(torch.stack([torch.full_like(numbers, layer.index), numbers], 1))
    return torch.cat(found)[torch.cat(shares).argsort(descending=True, stable=True).cpu()]
