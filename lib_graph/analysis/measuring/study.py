"""What the runs of a language model say to the question whether a basis helps.

Each answer is a table in the folder of its run, made from what its metadata say, and is not made
again.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from lib_graph.analysis.ablation import (
    Bench,
    ablate_circuit,
    ablate_edges,
    smallest_circuit,
    write_ablation,
    write_masks,
)
from lib_graph.analysis.measuring.predicting import LEAST_ROWS, TokenPredictor
from lib_graph.analysis.measuring.resampling import drawn, measured_sections, probe_error
from lib_graph.analysis.measuring.strengths import strengths_of_samples
from lib_graph.analysis.reopening import Reopened
from lib_graph.data.evaluation import Metric
from lib_graph.data.text import Text
from lib_graph.errors import UsageError
from lib_graph.method.dictionary import most_important
from lib_graph.networks import Subject, load_subject
from lib_graph.run import Run
from lib_graph.run.kept import Origin, graph_of, made_from
from lib_graph.run.writing import write_rows
from lib_graph.support import defaults
from lib_graph.support.progress import Progress
from lib_graph.support.sparsity import Floats

__all__ = [
    "FRACTIONS",
    "Budget",
    "cross_entropy",
    "language_model",
    "predictions",
    "required_edges",
    "sparsities",
]

PER_COORDINATE = 10  # tokens for each coordinate of a layer, to know its variances at all
FRACTIONS = tuple(float(x) for x in np.logspace(-4, 0, 41).round(8))

SPARSITY = pa.schema(
    [
        ("layer", pa.string()),
        ("measure", pa.string()),
        ("how", pa.string()),  # exact | probed
        ("draw", pa.int32()),  # 0: all samples as they are
        ("value", pa.float64()),
    ]
)
REQUIRED = pa.schema(
    [
        ("kind", pa.string()),  # section | all
        ("layer", pa.string()),
        ("edges", pa.int64()),
        ("pairs", pa.int64()),
        ("score", pa.float64()),
        ("random_score", pa.float64()),
        ("baseline", pa.float64()),
    ]
)
PREDICTED = pa.schema(
    [
        ("layer", pa.string()),
        ("draw", pa.int32()),
        ("auc", pa.float64()),
        ("tokens", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Budget:
    """How much of everything: what the time goes into, and how well errors are known.

    `delta` is a share of the network's cross-entropy, `answers` the tokens that a mask is scored
    on, `draws` how often samples are drawn anew.

    Raises UsageError for values that give no answer.
    """

    delta: float = defaults.LOSS
    answers: int = defaults.ANSWERS
    draws: int = defaults.RESAMPLED
    seed: int = defaults.SEED

    def __post_init__(self) -> None:
        if not 0 < self.delta < 1:
            raise UsageError(f"delta is {self.delta}; it is a share of the cross-entropy, 0 to 1.")
        for name, least in (("answers", 1), ("draws", 20)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} is {getattr(self, name)}; take at least {least}.")

    def drawn(self, samples: int) -> Floats:
        """Return how often each sample counts in each draw."""
        return drawn(samples, self.draws, self.seed)


def language_model(model: str, text: Text) -> Subject:
    """Return a language model with its text, after a look at whether the text is enough.

    Raises what loading does, and UsageError for a network without a cross-entropy, too few tokens
    for the widths of its layers, or too few rows to draw from.
    """
    subject = load_subject(model, text)
    if subject.evaluation is None or subject.evaluation.metric != "cross-entropy":
        raise UsageError(f"{model!r} is no language model: it has no cross-entropy of next tokens.")
    rows, length = subject.inputs[0].shape
    width = _width(subject)
    least = max(-(-PER_COORDINATE * width // length), LEAST_ROWS) * length
    if rows * length < least:
        raise UsageError(
            f"{rows * length} tokens are too few for bases of {width} coordinates and errors over "
            f"rows of {length}: take at least {least} (--tokens), of a text that has them."
        )
    return subject


def _width(subject: Subject) -> int:
    """Return the width of the embeddings, which is that of the residual stream."""
    model: torch.nn.Module = subject.module.get_submodule("model")
    embedding: torch.Tensor = model.get_input_embeddings().weight  # type: ignore[operator]
    return embedding.shape[1]


@torch.no_grad()
def cross_entropy(subject: Subject) -> dict[str, float | int]:
    """Return what a language model scores on all of its text, and the standard error over rows.

    score = Σ_x l_x / Σ_x n_x, l_x the sum over the n_x answers of row x that count; error =
    √(N/(N − 1) Σ_x (l_x − score n_x)²) / Σ_x n_x, N the number of rows.

    Raises UsageError for a network without a cross-entropy.
    """
    evaluation = subject.evaluation
    if evaluation is None or evaluation.counted is None:
        raise UsageError(f"{subject.source!r} has no cross-entropy of next tokens.")
    metric, module = Metric("cross-entropy"), deepcopy(subject.module).double()
    tokens, answers, counted = evaluation.inputs[0], evaluation.targets, evaluation.counted
    rows = [
        metric.total(module(tokens[x : x + 1]), answers[x : x + 1], counted[x : x + 1])
        for x in range(len(tokens))
    ]
    sums, numbers = (np.array([getattr(row, name) for row in rows]) for name in ("sum", "answers"))
    score, whole = sums.sum() / numbers.sum(), int(numbers.sum())
    spread = len(rows) / (len(rows) - 1) * ((sums - score * numbers) ** 2).sum()
    return {
        "rows": len(rows), "answers": whole, "score": float(score),
        "error": float(np.sqrt(spread) / whole),
    }  # fmt: skip


def sparsities(
    run: Run, opened: Reopened, top: int, budget: Budget, progress: Progress
) -> pd.DataFrame:
    """Return the measures of each section and draw, exact and as one probe a sample has them.

    They are those of `resampling`. Beside them, of draw 0: `error`, the median relative error of a
    probed edge, and `reached X`, the part of the strength that a share X of the pairs has, the
    strongest ones.
    """

    def make() -> pd.DataFrame:
        weights = budget.drawn(len(opened.subject.inputs[0]))
        frames = []
        for section in strengths_of_samples(run, opened, top=top, progress=progress):
            own = {"error": probe_error(section), **_curve(section.exact.sum(0).ravel())}
            beside = pd.DataFrame({"measure": list(own), "value": list(own.values())})
            frames.append(beside.assign(layer=section.layer, how="exact", draw=0))
            frames.append(measured_sections([section], weights))
        return pd.concat(frames, ignore_index=True)

    origin = {**graph_of(run), "top": top, "draws": budget.draws, "seed": budget.seed}
    return _answered(run.path / "sparsity.parquet", SPARSITY, origin, make)


def _curve(strengths: Floats) -> dict[str, float]:
    """Return the part of the sum that each share of the numbers has, the largest first."""
    reached = np.cumsum(-np.sort(-strengths)) / strengths.sum()
    counts = [max(1, round(part * len(reached))) for part in FRACTIONS]
    return {
        f"reached {part:g}": float(reached[count - 1])
        for part, count in zip(FRACTIONS, counts, strict=True)
    }


def required_edges(run: Run, subject: Subject, budget: Budget, progress: Progress) -> pd.DataFrame:
    """Return the edges required, section by section (kind section), and all at once (kind all).

    They keep the cross-entropy within a share δ of the network's. Beside each number: what a random
    mask of its size scores. Ablations and masks of the run are written as well.

    Raises UsageError where not even the whole graph keeps the score.
    """

    def make() -> pd.DataFrame:
        whole = Bench.of(run, subject=subject, metric="cross-entropy")
        bench = whole.sampled(budget.answers)
        delta = budget.delta * bench.baseline
        found = ablate_edges(bench, delta=delta, seed=budget.seed, progress=progress)
        every = _all_at_once(bench, delta, budget.seed, progress)
        rows = found.rows[found.rows["kind"] == "edges_required"]
        pairs = _pairs(run)
        sections = rows.assign(kind="section", pairs=rows["layer"].map(pairs))
        write_masks(bench, found.masks, replace=True)
        write_ablation(bench, found.rows, replace=True)
        one = pd.DataFrame([{"kind": "all", "layer": "", "pairs": sum(pairs.values()), **every}])
        return pd.concat([sections, one], ignore_index=True)[list(REQUIRED.names)]

    origin = {
        **graph_of(run), "delta": budget.delta, "answers": budget.answers, "seed": budget.seed
    }  # fmt: skip
    return _answered(run.path / "required.parquet", REQUIRED, origin, make)


def _all_at_once(
    bench: Bench, delta: float, seed: int, progress: Progress
) -> dict[str, float | int]:
    circuit = smallest_circuit(bench, delta, progress=progress)
    found = ablate_circuit(bench, circuit, seed=seed, progress=progress)
    names = ("edges", "score", "random_score", "baseline")
    return {name: getattr(found, name) for name in names}


def _pairs(run: Run) -> dict[str, int]:
    """Return how many pairs of features each section has, by its source layer."""
    counts = [layer.features for layer in run.layers]
    return {
        layer.name: own * following
        for layer, own, following in zip(run.layers[:-1], counts[:-1], counts[1:], strict=True)
    }


def predictions(
    run: Run,
    opened: Reopened,
    predictor: TokenPredictor,
    top: int,
    budget: Budget,
    progress: Progress,
) -> pd.DataFrame:
    """Return, per layer and draw, the means over features of how well words predict them."""

    def make() -> pd.DataFrame:
        weights = budget.drawn(len(predictor.tokens))
        features = _features(opened, top)
        frames = []
        with progress.stage("predictions", len(features)) as advance:
            for layer in list(features):
                found = predictor.predicted(features.pop(layer), weights)
                means = {name: _mean(getattr(found, name)) for name in ("auc", "tokens")}
                frames.append(pd.DataFrame({"layer": layer, "draw": range(len(weights)), **means}))
                advance(1)
        return pd.concat(frames, ignore_index=True)

    origin = {
        **graph_of(run, "run", "bases"), "top": top, "draws": budget.draws, "seed": budget.seed
    }  # fmt: skip
    return _answered(run.path / "predicted.parquet", PREDICTED, origin, make)


@torch.no_grad()
def _features(opened: Reopened, top: int) -> dict[str, torch.Tensor]:
    """Return the most important features of all layers that have any, at all positions."""
    layers = [layer for layer in opened.network.layers if not opened.bases[layer.name].raw]
    bases = {
        layer.name: opened.bases[layer.name].only(most_important(opened.bases[layer.name], top))
        for layer in layers
    }
    parts: dict[str, list[torch.Tensor]] = {layer.name: [] for layer in layers}
    for rows in opened.subject.inputs[0].split(LEAST_ROWS):
        activations = opened.network.run(rows).activations
        for layer in layers:
            parts[layer.name].append(bases[layer.name].coordinates(activations[layer.index]))
    return {name: torch.cat(found).float() for name, found in parts.items()}


def _mean(values: Floats) -> Floats:
    """Return the mean over the features that are known, for each draw; NaN where none is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        found: Floats = np.where(known, values, 0.0).sum(1) / known.sum(1)
    return found


def _answered(
    path: Path, schema: pa.Schema, origin: Origin, make: Callable[[], pd.DataFrame]
) -> pd.DataFrame:
    """Return rows from their file, made now if they are not there, or of something else."""
    if made_from(path) != origin:
        write_rows(path, schema, [make()], origin)
    frame: pd.DataFrame = pq.read_table(path, schema=schema).to_pandas()
    return frame
