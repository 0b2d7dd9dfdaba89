"""What the runs of a language model say to the question whether a basis helps.

Each answer is a table in the folder of its run, made from what its metadata say, and is not made
again.
"""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from lib_graph.analysis.measuring.budget import Budget
from lib_graph.analysis.measuring.extent import Extent
from lib_graph.analysis.measuring.predicting import LEAST_ROWS, TokenPredictor
from lib_graph.analysis.measuring.rebuilding import rebuilt
from lib_graph.analysis.measuring.resampling import measured_sections, probe_error
from lib_graph.analysis.measuring.splicing import spliced
from lib_graph.analysis.measuring.strengths import strengths_of_samples
from lib_graph.analysis.reopening import Reopened
from lib_graph.data.evaluation import Metric
from lib_graph.data.text import Text
from lib_graph.errors import UsageError
from lib_graph.method.dictionary import most_important
from lib_graph.networks import Subject, load_subject
from lib_graph.run import Run
from lib_graph.run.answers import answered
from lib_graph.run.kept import graph_of
from lib_graph.support.progress import Progress
from lib_graph.support.sparsity import Floats, mean_known

__all__ = [
    "FRACTIONS",
    "cross_entropy",
    "language_model",
    "predictions",
    "rebuildings",
    "sparsities",
    "splicings",
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
REBUILT = pa.schema([("layer", pa.string()), ("features", pa.int64()), ("explained", pa.float64())])
SPLICED = pa.schema([("layer", pa.string()), ("score", pa.float64())])
PREDICTED = pa.schema(
    [
        ("layer", pa.string()),
        ("draw", pa.int32()),
        ("auc", pa.float64()),
        ("tokens", pa.float64()),
    ]
)


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
def cross_entropy(subject: Subject, dtype: torch.dtype = torch.float64) -> dict[str, float | int]:
    """Return what a language model scores on all of its text, and the standard error over rows.

    score = Σ_x l_x / Σ_x n_x, l_x the sum over the n_x answers of row x that count; error =
    √(N/(N − 1) Σ_x (l_x − score n_x)²) / Σ_x n_x, N the number of rows.

    Raises UsageError for a network without a cross-entropy.
    """
    evaluation = subject.evaluation
    if evaluation is None or evaluation.counted is None:
        raise UsageError(f"{subject.source!r} has no cross-entropy of next tokens.")
    metric, module = Metric("cross-entropy"), deepcopy(subject.module).to(dtype)
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
    run: Run, opened: Reopened, top: int, extent: Extent, budget: Budget, progress: Progress
) -> pd.DataFrame:
    """Return the measures of each section and draw, exact and as one probe a sample has them.

    They are those of `resampling`. Beside them, of draw 0: `error`, the median relative error of a
    probed edge, and `reached X`, the part of the strength that a share X of the pairs has, the
    strongest ones. Sections and samples are those of the extent, which the run was built with.
    """

    def make() -> pd.DataFrame:
        weights, frames = budget.drawn(extent.samples(opened.subject)), []
        for section in strengths_of_samples(
            run, opened, top=top, chosen=extent.chosen(opened.subject), raw=extent.top is None,
            progress=progress,
        ):  # fmt: skip
            own = {"error": probe_error(section), **_curve(section.exact.sum(0).ravel())}
            beside = pd.DataFrame({"measure": list(own), "value": list(own.values())})
            frames.append(beside.assign(layer=section.layer, how="exact", draw=0))
            frames.append(measured_sections([section], weights))
        return pd.concat(frames, ignore_index=True)

    origin = {**graph_of(run), "top": top, "draws": budget.draws, "seed": budget.seed}
    return answered(run.path / "sparsity.parquet", SPARSITY, origin, make)


def rebuildings(run: Run, opened: Reopened) -> pd.DataFrame:
    """Return, per layer, the share of its variance that its first n features rebuild."""

    def make() -> pd.DataFrame:
        frames = [
            pd.DataFrame({"layer": name, "features": range(1, len(told) + 1), "explained": told})
            for name, told in rebuilt(opened).items()
        ]
        return pd.concat(frames, ignore_index=True)

    return answered(run.path / "rebuilt.parquet", REBUILT, graph_of(run, "run", "bases"), make)


def splicings(run: Run, opened: Reopened) -> pd.DataFrame:
    """Return what the network scores on what is rebuilt of a layer, and of all (`splicing`)."""
    origin = graph_of(run, "run", "bases")
    return answered(run.path / "spliced.parquet", SPLICED, origin, lambda: spliced(opened))


def _curve(strengths: Floats) -> dict[str, float]:
    """Return the part of the sum that each share of the numbers has, the largest first."""
    with np.errstate(invalid="ignore"):  # of a section in which nothing flows
        reached = np.cumsum(-np.sort(-strengths)) / strengths.sum()
    counts = [max(1, round(part * len(reached))) for part in FRACTIONS]
    return {
        f"reached {part:g}": float(reached[count - 1])
        for part, count in zip(FRACTIONS, counts, strict=True)
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
                means = {name: mean_known(getattr(found, name)) for name in ("auc", "tokens")}
                frames.append(pd.DataFrame({"layer": layer, "draw": range(len(weights)), **means}))
                advance(1)
        return pd.concat(frames, ignore_index=True)

    origin = {
        **graph_of(run, "run", "bases"), "top": top, "draws": budget.draws, "seed": budget.seed
    }  # fmt: skip
    return answered(run.path / "predicted.parquet", PREDICTED, origin, make)


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
