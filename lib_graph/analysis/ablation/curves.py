"""Node curves, edge curves and edges required (docs/method.md §13)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from lib_graph.analysis.ablation.bench import Bench
from lib_graph.analysis.ablation.bisection import Required, required
from lib_graph.analysis.ablation.masks import MaskedSection, edges_of
from lib_graph.analysis.ablation.scored import ScoredBatch
from lib_graph.data.evaluation import Total
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.method.network import Layer
from lib_graph.run.ablations import ABLATION, MASKS
from lib_graph.support import defaults
from lib_graph.support.arguments import checked
from lib_graph.support.progress import USUAL, Progress

__all__ = [
    "RANDOM_ANSWERS",
    "EdgeAblation",
    "ablate_edges",
    "ablate_nodes",
    "node_counts",
    "required_rows",
    "table_of",
]

RANDOM_ANSWERS = 512  # that random masks are scored on: their scores need fewer digits


def node_counts(features: int) -> list[int]:
    """Return the numbers of features of a curve: all up to 16, then a fifth more each, then all.

    The constant feature counts.

    >>> node_counts(40)
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 20, 24, 29, 35, 41]
    """
    counts = [*range(1, min(16, features + 1) + 1)]
    while counts[-1] < features + 1:
        counts.append(min(-(-counts[-1] * 6 // 5), features + 1))
    return counts


@checked
def ablate_nodes(
    bench: Bench,
    *,
    layers: Iterable[str] | None = None,
    counts: Sequence[int] | None = None,
    seed: int = defaults.SEED,
    progress: Progress = USUAL,
) -> pd.DataFrame:
    """Return the score of the network with the first n features of a layer (columns of ABLATION).

    The constant feature, which counts, then by falling importance: f ↦ f̂_n C⁺_n + μ. `layers` are
    names (default: all that are not raw), `counts` the n (default: `node_counts` of each layer).
    `random_score`: n − 1 features at random in place of the first, on up to RANDOM_ANSWERS answers.

    Raises NotFoundError for a layer that has no features, UsageError for a count below 1.
    """
    if counts is not None and min(counts, default=1) < 1:
        raise UsageError(f"{min(counts)} features cannot be kept: the constant one always is.")
    chosen = _chosen(bench, layers, [x.name for x in bench.run.layers if x.kind != "raw"])
    generator = torch.Generator().manual_seed(seed)
    sampled = bench.sampled(RANDOM_ANSWERS)
    rows: list[dict[str, object]] = []
    with progress.stage("nodes", len(chosen)) as advance:
        for layer in chosen:
            most = bench.bases[layer.name].features
            sizes = [min(n - 1, most) for n in counts or node_counts(most)]
            first = [torch.arange(n) for n in sizes]
            drawn = [torch.randperm(most, generator=generator)[:n] for n in sizes]
            scores = _node_scores(bench, layer, first)
            random = _node_scores(sampled, layer, drawn)
            rows += [
                {
                    "kind": "node_curve",
                    "layer": layer.name,
                    "nodes": n + 1,
                    "score": score,
                    "random_score": at_random,
                }
                for n, score, at_random in zip(sizes, scores, random, strict=True)
            ]
            advance(1)
    return table_of(bench, rows)


def _node_scores(bench: Bench, layer: Layer, kept: Sequence[Tensor]) -> list[float]:
    """Return the scores of the network with each of some sets of features of a layer."""

    def scoring(scored: ScoredBatch) -> Iterator[Total]:
        features = scored.features(layer)
        each = (some.to(features.device) for some in kept)
        return (scored.total(layer, features.index_select(2, some), some) for some in each)

    return bench.scores(f"nodes {layer.name}", kept, scoring)


@dataclass(frozen=True, eq=False, repr=False)
class EdgeAblation:
    """Curves and edges required (`rows`, columns of ABLATION), and the interactions kept then
    (`masks`, columns of MASKS), the strongest first.
    """

    rows: pd.DataFrame
    masks: pd.DataFrame

    @property
    def required(self) -> dict[str, int]:
        """The number of edges required in each section, by the name of its source layer."""
        found = self.rows[self.rows["kind"] == "edges_required"].drop_duplicates("layer")
        return dict(zip(found["layer"].tolist(), found["edges"].astype(int).tolist(), strict=True))

    def __repr__(self) -> str:
        required = ", ".join(f"{layer} {edges:,}" for layer, edges in self.required.items())
        return f"<EdgeAblation: edges required out of {required}>"


@checked
def ablate_edges(
    bench: Bench,
    *,
    layers: Iterable[str] | None = None,
    delta: float = defaults.DELTA,
    also: Sequence[float] = (),
    seed: int = defaults.SEED,
    progress: Progress = USUAL,
) -> EdgeAblation:
    """Return the score of the network with the n strongest interactions of a section.

    The n are 0, all, and those that bisection tries on its way to the number required: that at
    which the score is worse than the network's by at most `delta`. `layers` are the sections, by
    their source (default: all). With `also`, other losses allowed, there is a row `edges_required`
    for each of them too, and what was scored for one serves all; `required` and `masks` are those
    of `delta`. `random_score`: the first n interactions in a random order, on up to RANDOM_ANSWERS
    answers.

    Raises NotFoundError for a layer without interactions, UsageError if not even all interactions
    keep the score, with the difference.
    """
    edges = edges_of(bench.run)
    chosen = _chosen(bench, layers, list(edges))
    sampled, generator = bench.sampled(RANDOM_ANSWERS), torch.Generator().manual_seed(seed)
    rows: list[dict[str, object]] = []
    masks = []
    with progress.stage("edges", len(chosen)) as advance:
        for layer in chosen:
            own = edges[layer.name]
            score, at_random = _scorer(bench, layer), _scorer(sampled, layer)
            found = required(
                lambda n, score=score, own=own: score(own.strongest(n)),  # type: ignore[misc]
                len(own), [delta, *also], metric=bench.metric, baseline=bench.baseline,
                what=f"the interactions out of {layer.name!r}",
                entries=(own.source.width + 1) * (own.target.width + own.target.first_index),
            )  # fmt: skip
            shuffled = own.shuffled(generator)
            random = {n: at_random(own.mask(shuffled[:n])) for n in sorted(found.scores)}
            rows += required_rows("edge", "edges", layer.name, found, random)
            masks.append(own.table.iloc[: found.numbers[delta]])
            advance(1)
    return EdgeAblation(table_of(bench, rows), pd.concat(masks)[MASKS.names].reset_index(drop=True))


def _scorer(bench: Bench, layer: Layer) -> Callable[[Tensor], float]:
    """Return what gives the score of the network under a mask of the section after a layer."""
    section = bench.network.sections[layer.index]
    known: dict[int, MaskedSection] = {}

    def score(mask: Tensor) -> float:
        def scoring(scored: ScoredBatch) -> list[Total]:
            masked = known.get(scored.batch.start)
            if masked is None:
                masked = MaskedSection.of(scored, section, scored.features(layer))
            if bench.columns:
                known[scored.batch.start] = masked
            return [scored.total(section.target, masked(mask))]

        return bench.scores(f"edges {layer.name}", [mask], scoring)[0]

    return score


def _chosen(bench: Bench, names: Iterable[str] | None, known: Sequence[str]) -> list[Layer]:
    layers = {layer.name: layer for layer in bench.network.layers if layer.name in known}
    for name in (names := list(layers if names is None else names)):
        if name not in layers:
            raise NotFoundError("layer", name, layers, "It is to be one that can be ablated.")
    return [layers[name] for name in names]


def required_rows(
    kind: str,
    size: str,
    layer: str | None,
    found: Required,
    random: Mapping[int, float],
    constant: int = 0,
) -> list[dict[str, object]]:
    """Return the rows of a curve, and of what is required at each loss; `constant` count beside."""
    curve: list[tuple[str, int, float | None]] = [(f"{kind}_curve", n, None) for n in random]
    curve += [(f"{size}_required", n, delta) for delta, n in found.numbers.items()]
    return [
        {
            "kind": name,
            "layer": layer,
            size: n + constant,
            "score": found.scores[n],
            "random_score": random[n],
            "delta": delta,
        }
        for name, n, delta in curve
    ]


def table_of(bench: Bench, rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Return rows as a table with the columns of ABLATION."""
    run = bench.run
    common = {"run": run.id, "basis": run.manifest.basis, "baseline": bench.baseline,
              "metric": bench.metric.name}  # fmt: skip
    frame = pd.DataFrame([{**common, **row} for row in rows], columns=ABLATION.names)
    return frame.astype({"edges": "Int64", "nodes": "Int64", "delta": "float64"})
