"""The edges that a language model needs to keep its cross-entropy, in a run of a study."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from lib_graph.analysis.ablation import (
    Bench,
    ablate_circuit,
    ablate_edges,
    smallest_circuit,
    write_ablation,
    write_masks,
)
from lib_graph.analysis.ablation.bench import PRECISION, scored_on
from lib_graph.analysis.ablation.curves import RANDOM_ANSWERS
from lib_graph.analysis.measuring.budget import Budget
from lib_graph.data.evaluation import Evaluation, Metric
from lib_graph.networks import Subject
from lib_graph.run import Run
from lib_graph.run.answers import answered
from lib_graph.support import defaults
from lib_graph.support.progress import Progress

__all__ = ["required_edges"]

METRIC = "cross-entropy"
REQUIRED = pa.schema(
    [
        ("delta", pa.float64()),  # share of the cross-entropy
        ("kind", pa.string()),  # section | all
        ("layer", pa.string()),
        ("edges", pa.int64()),
        ("pairs", pa.int64()),
        ("score", pa.float64()),
        ("random_score", pa.float64()),
        ("baseline", pa.float64()),
    ]
)


def required_edges(run: Run, subject: Subject, budget: Budget, progress: Progress) -> pd.DataFrame:
    """Return the edges required, section by section (kind section), and all at once (kind all).

    They keep the cross-entropy within a share δ of the network's, each δ of the budget. Beside each
    number: what a random mask of its size scores. Ablations and masks (of the first δ) of the run
    are written as well.

    Raises UsageError where not even the whole graph keeps the score.
    """

    def make() -> pd.DataFrame:
        whole = Bench.of(run, subject=subject, metric=METRIC)
        bench = whole.sampled(budget.answers)
        losses = {delta * bench.baseline: delta for delta in budget.deltas}
        first, *also = losses
        found = ablate_edges(bench, delta=first, also=also, seed=budget.seed, progress=progress)
        rows = found.rows[found.rows["kind"] == "edges_required"]
        pairs = _pairs(run)
        number = rows.groupby("layer").cumcount()  # of the loss, in their order
        sections = rows.assign(
            kind="section",
            pairs=rows["layer"].map(pairs),
            delta=number.map(dict(enumerate(budget.deltas))),
        )
        every = [
            {
                "delta": delta,
                "pairs": sum(pairs.values()),
                **_together(bench, loss, budget, progress),
            }
            for loss, delta in losses.items()
        ]
        write_masks(bench, found.masks, replace=True)
        write_ablation(bench, found.rows, replace=True)
        return pd.concat([sections, pd.DataFrame(every)], ignore_index=True)[list(REQUIRED.names)]

    assert subject.evaluation is not None  # `language_model` has looked
    origin = _origin(run, subject.evaluation, budget)
    return answered(run.path / "required.parquet", REQUIRED, origin, make)


def _origin(run: Run, evaluation: Evaluation, budget: Budget) -> dict[str, Any]:
    """Return all that edges required follow from: the very rows and answers, not their number."""
    chosen = evaluation.even(budget.answers)
    rows = evaluation if chosen is None else evaluation.selected(chosen)
    return {
        **scored_on(run, rows, Metric(METRIC)), "dtype": str(PRECISION),
        "deltas": list(budget.deltas), "rank": defaults.RANK, "seed": budget.seed,
        "draws": defaults.DRAWS, "random_answers": RANDOM_ANSWERS,
    }  # fmt: skip


def _together(bench: Bench, loss: float, budget: Budget, progress: Progress) -> dict[str, Any]:
    """Return a row of all sections at once: the smallest circuit, and what it scores."""
    circuit = smallest_circuit(bench, loss, progress=progress)
    found = ablate_circuit(bench, circuit, seed=budget.seed, progress=progress)
    names = ("edges", "score", "random_score", "baseline")
    return {"kind": "all", "layer": "", **{name: getattr(found, name) for name in names}}


def _pairs(run: Run) -> dict[str, int]:
    """Return how many pairs of features each section has, by its source layer."""
    counts = [layer.features for layer in run.layers]
    return {
        layer.name: own * following
        for layer, own, following in zip(run.layers[:-1], counts[:-1], counts[1:], strict=True)
    }
