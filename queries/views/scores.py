"""What a test of a circuit found, each number with the metric that it is of."""

from __future__ import annotations

from lib_graph.run.circuit import AnswerScores, CircuitFile, Scores
from lib_graph.support.texts import counted
from lib_graph.support.view import View
from queries.views.cells import number_cell, percent_cell

__all__ = ["scores_line", "tested_lines"]

SEVERAL = 4  # answers that are named one by one


def tested_lines(circuit: CircuitFile) -> list[str]:
    """Return the size of a circuit that was tested, its scores, and a sentence that says them."""
    ends = {each for pair in circuit.pairs() for each in pair}
    interactions = counted(len(circuit.interactions), "interaction")
    size = f"{interactions} between {counted(len(ends), 'feature')}"
    scores = circuit.scores()
    assert scores is not None
    if scores.answers is None:
        return [size, *_over_all(scores)]
    return [size, *_pairs_view(scores.answers).lines(), scores_line(circuit)]


def _over_all(scores: Scores) -> list[str]:
    return [
        f"  {scores.metric}, {name}: {value:.6g}"
        for name, value in (
            ("with the circuit alone", scores.score),
            ("the whole network", scores.baseline),
            ("random circuits", scores.random_score),
        )
    ]


def scores_line(circuit: CircuitFile) -> str:
    """Return the scores of a circuit that was tested as a sentence."""
    scores = circuit.scores()
    assert scores is not None
    if scores.answers is None:
        return (
            f"{(scores.metric or 'score').capitalize()} of the circuit alone "
            f"{number_cell(scores.score)}, of the whole network {number_cell(scores.baseline)}, of "
            f"random circuits of this size {number_cell(scores.random_score)}."
        )
    return (
        f"Where {_names(circuit, scores.answers)} is the answer, the circuit alone keeps "
        f"{percent_cell(scores.score)} of the\nnetwork's effect on its logit (random circuits of "
        f"this size: {percent_cell(scores.random_score)})."
    )


def _pairs_view(found: AnswerScores) -> View:
    """Return a row for the inputs whose answer it is, and one for the others."""
    columns = (
        "it is the answer", "inputs", "effect kept (random)", "accuracy (network, random)",
    )  # fmt: skip
    rows = [
        (
            called,
            f"{pairs.pairs:,}",
            f"{percent_cell(pairs.effect_kept)} ({percent_cell(pairs.random_effect_kept)})",
            f"{percent_cell(pairs.accuracy)} ({percent_cell(pairs.baseline_accuracy)}, "
            f"{percent_cell(pairs.random_accuracy)})",
        )
        for called, pairs in (("yes", found.own), ("no", found.others))
    ]
    return View(columns, rows, frozenset(columns[1:]))


def _names(circuit: CircuitFile, found: AnswerScores) -> str:
    """Return the answers as ids without the run, with the tokens or classes that are their labels.

    Of many only their number.
    """
    if len(found.answers) > SEVERAL:
        return f"one of its {len(found.answers)} answers"
    layer = circuit.interactions[-1].target.rpartition("/")[0].partition("/")[2]
    labels = {
        each.target.rpartition("/")[2]: each.target_label
        for each in circuit.interactions
        if each.target.startswith(f"{circuit.run}/{layer}/")
    }
    return ", ".join(f"{layer}/{n} {labels.get(str(n), '')}".strip() for n in found.answers)
