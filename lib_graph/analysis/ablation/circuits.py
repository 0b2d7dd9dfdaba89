"""A whole circuit, in all sections at once: what the network does with nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lib_graph.analysis.ablation.answering import Masks, score_answers
from lib_graph.analysis.ablation.bench import Bench
from lib_graph.analysis.ablation.bisection import bisect, check_reachable
from lib_graph.analysis.ablation.circuit_json import Ranks, circuit_of, ranks_of
from lib_graph.analysis.ablation.curves import RANDOM_ANSWERS, table_of
from lib_graph.analysis.ablation.masks import Edges, edges_of, masked
from lib_graph.analysis.ablation.scored import ScoredBatch
from lib_graph.data.evaluation import Total
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.run.circuit import AnswerScores, CircuitFile, Scores
from lib_graph.support import defaults
from lib_graph.support.arguments import checked
from lib_graph.support.progress import USUAL, Progress

__all__ = [
    "RANKS",
    "CircuitScore",
    "ablate_circuit",
    "first_of",
    "masked_score",
    "ranked",
    "smallest_circuit",
]

RANKS = ("strength", "share")


@dataclass(frozen=True)
class CircuitScore:
    """What the network scores with a circuit alone, as it is, and with random circuits.

    `edges` counts interactions, those of the constant features left out, `nodes` the features that
    they are between. `random_score` is the mean over circuits with as many interactions in each
    section. Where the circuit leads to some answers only, the three are the effect kept on them
    (`lib_graph.analysis.ablation.answering`), and `answers` has all that was found.
    """

    edges: int
    nodes: int
    score: float
    baseline: float
    random_score: float
    metric: str
    answers: AnswerScores | None = None

    def row(self, bench: Bench) -> pd.DataFrame:
        """Return this as a row of ablation.parquet."""
        names = ("edges", "nodes", "score", "baseline", "random_score", "metric")
        return table_of(
            bench, [{"kind": "circuit", **{name: getattr(self, name) for name in names}}]
        )

    def scores(self) -> Scores:
        """Return the scores alone, as a circuit's file holds them."""
        return Scores(self.score, self.baseline, self.random_score, self.metric, self.answers)


@checked
def ablate_circuit(
    bench: Bench,
    circuit: CircuitFile,
    *,
    answers: Sequence[int] = (),
    draws: int = defaults.DRAWS,
    seed: int = defaults.SEED,
    progress: Progress = USUAL,
) -> CircuitScore:
    """Return the scores of a circuit: over all answers, or with `answers` on these alone.

    In every section each feature is computed from the sources that the circuit keeps, which were
    computed so themselves; all else is at its mean. The constant features are always kept. Random
    circuits are drawn `draws` times and scored on up to RANDOM_ANSWERS answers. `answers_of` says
    which answers a circuit claims.

    Raises UsageError if the circuit is empty or of another run, if nothing is drawn, or if no data
    have one of the answers; ConflictError if an interaction is not in the run or has another
    strength there.
    """
    if draws < 1:
        raise UsageError(f"{draws} random circuits give no score. Draw at least 1.")
    edges = edges_of(bench.run)
    chosen = ranks_of(bench.run, edges, circuit)
    generator = torch.Generator().manual_seed(seed)
    sizes = {layer: len(ranks) for layer, ranks in chosen.items()}
    kept = {layer: edges[layer].mask(chosen[layer]) for layer in edges}
    random = [
        {
            layer: edges[layer].mask(edges[layer].shuffled(generator)[:n])
            for layer, n in sizes.items()
        }
        for _ in range(draws)
    ]
    with progress.stage("circuit", draws + 1) as advance:
        if answers:
            found = score_answers(bench, answers, kept, random, advance)
            scores = found.scores()
        else:
            scores = _over_all_answers(bench, kept, random, advance)
    nodes = {
        (layer, index)
        for own in edges.values()
        for layer, end in ((own.source.name, "source"), (own.target.name, "target"))
        for index in own.table[end].iloc[chosen[own.source.name].tolist()]
    }
    return CircuitScore(
        edges=sum(sizes.values()),
        nodes=len(nodes),
        score=scores.score,
        baseline=scores.baseline,
        random_score=scores.random_score,
        metric=scores.metric or bench.metric.name,
        answers=scores.answers,
    )


def _over_all_answers(
    bench: Bench, kept: Masks, random: Sequence[Masks], advance: Callable[[int], None]
) -> Scores:
    score = masked_score(bench, kept)
    advance(1)
    sampled, drawn = bench.sampled(RANDOM_ANSWERS), []
    for masks in random:
        drawn.append(masked_score(sampled, masks))
        advance(1)
    return Scores(score, bench.baseline, sum(drawn) / len(drawn), bench.metric.name)


def masked_score(bench: Bench, masks: Masks) -> float:
    """Return the score with a mask in every section, by the name of its source layer."""
    last = bench.network.layers[-1]

    def scoring(scored: ScoredBatch) -> list[Total]:
        return [scored.total(last, masked(scored, masks))]

    return bench.scores("circuit", [*masks.values()], scoring)[0]


@checked
def smallest_circuit(
    bench: Bench,
    delta: float,
    *,
    rank: Literal["strength", "share"] = defaults.RANK,
    progress: Progress = USUAL,
) -> CircuitFile:
    """Return a circuit that keeps the network's score up to `delta`.

    All interactions of the run are ranked by strength or share. Bisection finds a number of the
    first of them that suffices; those into features that no other kept interaction reads, which
    change nothing, are then left out.

    Raises NotFoundError for another rank, UsageError if not even all interactions suffice, with the
    difference, or if none are needed.
    """
    edges = edges_of(bench.run)
    order = ranked(edges, rank)

    def score(n: int) -> float:
        chosen = first_of(edges, order, n)
        return masked_score(bench, {layer: edges[layer].mask(chosen[layer]) for layer in edges})

    check_reachable(bench.metric, delta, score(len(order)), bench.baseline, "the graph")
    if bench.metric.loss(nothing := score(0), bench.baseline) <= delta:
        raise UsageError(
            f"Without any interaction the {bench.metric.name} is already {nothing:.6g}, within "
            f"{delta:g} of the {bench.baseline:.6g} of the network. Allow less."
        )
    with progress.stage("smallest circuit", len(order).bit_length()) as advance:

        def passes(n: int) -> bool:
            advance(1)
            return bench.metric.loss(score(n), bench.baseline) <= delta

        n = bisect(passes, len(order))
    chosen = _read_by_others(edges, first_of(edges, order, n))
    query = {"keep_score": delta, "rank": rank, "metric": bench.metric.name}
    return circuit_of(bench.run, edges, chosen, query)


def ranked(edges: Mapping[str, Edges], by: str) -> pd.DataFrame:
    """Return layer and rank within the section of all interactions, the first by `by` first.

    Raises NotFoundError if that is neither strength nor share.
    """
    if by not in RANKS:
        raise NotFoundError("rank", by, RANKS, f"Choose one of {', '.join(RANKS)}.")
    tables = [
        pd.DataFrame({"layer": name, "rank": range(len(own)), "by": own.table[by].fillna(0.0)})
        for name, own in edges.items()
    ]
    return pd.concat(tables).sort_values("by", ascending=False, kind="stable")


def first_of(edges: Mapping[str, Edges], order: pd.DataFrame, n: int) -> dict[str, Tensor]:
    """Return the ranks within their sections of the first n interactions of an order."""
    first = order.iloc[:n]
    return {
        name: torch.from_numpy(np.sort(first["rank"][first["layer"] == name].to_numpy(np.int64)))
        for name in edges
    }


def _read_by_others(edges: Mapping[str, Edges], chosen: Ranks) -> Ranks:
    """Return the interactions whose target is an output or the source of another one."""
    kept: dict[str, Tensor] = {}
    readers: set[int] | None = None
    for name, own in reversed(list(edges.items())):
        targets = own.table["target"].iloc[chosen[name].tolist()]
        of_use = (
            np.ones(len(targets), bool) if readers is None else targets.isin(readers).to_numpy()
        )
        kept[name] = chosen[name][torch.tensor(of_use)]
        readers = set(own.table["source"].iloc[kept[name].tolist()])
    return kept
