"""How well a circuit that leads to some answers says "it is this one" (docs/method.md §13).

For an answer a of the circuit and an input x, the effect e is the logit of a against the mean of
all logits, less what it is where every feature is at its mean. A pair (x, a) is *own* if a is the
right answer to x, else one of the *others*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lib_graph.analysis.ablation.bench import Bench
from lib_graph.analysis.ablation.masks import masked
from lib_graph.analysis.ablation.scored import ScoredBatch
from lib_graph.data.evaluation import Total
from lib_graph.errors import UsageError
from lib_graph.run.circuit import AnswerScores, CircuitFile, PairScores

__all__ = ["Masks", "answers_of", "score_answers"]

Masks = Mapping[str, Bool[Tensor, "r next_r"]]
ROWS = 256  # samples with own pairs, and as many others, that random circuits are scored on


def answers_of(bench: Bench, circuit: CircuitFile) -> tuple[int, ...]:
    """Return the outputs that a circuit leads to, empty where it claims all of them, or none.

    A circuit that was found by its score over all answers (`--keep-score`) claims all.
    """
    last = bench.run.layers[-1]
    if last.kind != "raw" or "keep_score" in circuit.query:
        return ()
    start = f"{bench.run.id}/{last.name}/"
    ends = {each.target for each in circuit.interactions if each.target.startswith(start)}
    found = sorted(int(end.removeprefix(start)) for end in ends)
    return () if len(found) == last.features else tuple(found)


def score_answers(
    bench: Bench,
    answers: Sequence[int],
    circuit: Masks,
    random: Sequence[Masks],
    advance: Callable[[int], None],
) -> AnswerScores:
    """Return how well the network says "it is one of `answers`" with a circuit alone.

    Raises UsageError if none of them is the right answer to any of the data, or if the whole
    network has no effect on them there.
    """
    counts = _counts(bench, answers)
    alone = _kinds(bench, answers, circuit)
    if alone[0].kept is None:
        names = ", ".join(map(str, answers))
        why = "has no effect on its own answers" if counts[0] else "is never to be the answer"
        raise UsageError(
            f"In the data {bench.evaluation.name!r} output {names} {why}, so the circuit cannot be "
            "scored on what it leads to. Name a --metric to score it over all answers."
        )
    advance(1)
    fewer, drawn = _selected(bench, answers), []
    for masks in random:
        drawn.append(_kinds(fewer, answers, masks))
        advance(1)
    pairs = [
        PairScores(
            pairs=count,
            effect_kept=alone[kind].kept,
            random_effect_kept=_mean([each[kind].kept for each in drawn]),
            accuracy=alone[kind].accuracy,
            baseline_accuracy=alone[kind].baseline,
            random_accuracy=_mean([each[kind].accuracy for each in drawn]),
        )
        for kind, count in enumerate(counts)
    ]
    return AnswerScores(answers=tuple(answers), own=pairs[0], others=pairs[1])


@dataclass(frozen=True)
class _Kind:
    """What was found on the own pairs, or on the others; None where there are none of them."""

    kept: float | None
    accuracy: float | None
    baseline: float | None


def _kinds(bench: Bench, answers: Sequence[int], masks: Masks) -> list[_Kind]:
    asked = torch.tensor(answers)
    nothing = {name: torch.zeros_like(mask) for name, mask in masks.items()}

    def scoring(scored: ScoredBatch) -> Iterator[Total]:
        whole, alone = scored.outputs, masked(scored, masks)
        still = _logits(masked(scored, nothing), asked)
        targets = scored.targets.reshape(whole.shape[:2])
        own = targets[..., None] == asked.to(targets.device)
        effects = [_logits(outputs, asked) - still for outputs in (alone, whole)]
        right = [_says(outputs, asked) == own for outputs in (alone, whole)]
        sums = (effects[0] * effects[1], effects[1] ** 2, *right, torch.ones_like(own))
        counted = scored.counted if scored.counted is not None else torch.ones_like(targets) > 0
        for pairs in (own, ~own):
            for values in sums:
                kept = values[counted][pairs[counted]]
                yield Total(float(kept.double().sum()), int(counted.sum()))

    found = bench.scores("answers", [asked, *masks.values()], scoring)
    return [_kind(found[:5]), _kind(found[5:])]


def _kind(sums: Sequence[float]) -> _Kind:
    product, square, right, baseline, pairs = sums
    if pairs == 0:
        return _Kind(None, None, None)
    return _Kind(product / square if square else None, right / pairs, baseline / pairs)


def _logits(outputs: Float[Tensor, "n t v"], answers: Int[Tensor, " a"]) -> Float[Tensor, "n t a"]:
    """Return the logits of the answers against the mean of all."""
    return outputs[..., answers.to(outputs.device)] - outputs.mean(-1, keepdim=True)


def _says(outputs: Float[Tensor, "n t v"], answers: Int[Tensor, " a"]) -> Bool[Tensor, "n t a"]:
    """Return which of the answers, if any, is what the network says."""
    return outputs.argmax(-1)[..., None] == answers.to(outputs.device)


def _counts(bench: Bench, answers: Sequence[int]) -> tuple[int, int]:
    """Return the number of own pairs, and of the others."""
    targets, counted = bench.evaluation.targets, bench.evaluation.counted
    targets = targets.flatten() if counted is None else targets[counted]
    own = int(torch.isin(targets, torch.tensor(answers)).sum())
    return own, len(targets) * len(answers) - own


def _selected(bench: Bench, answers: Sequence[int]) -> Bench:
    """Return a bench on an even selection of the samples with own pairs, and of the others."""
    evaluation = bench.evaluation
    own = torch.isin(evaluation.targets, torch.tensor(answers))
    if evaluation.counted is not None:
        own &= evaluation.counted
    rows = own.flatten(1).any(1) if own.dim() > 1 else own
    chosen = [_even(kind.nonzero()[:, 0]) for kind in (rows, ~rows)]
    return bench.selected(torch.cat(chosen).sort().values)


def _even(rows: Int[Tensor, " n"]) -> Int[Tensor, " m"]:
    places = torch.linspace(0, len(rows) - 1, min(ROWS, len(rows))).round().long()
    return rows[places]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
