"""What a network scores on what the features of its layers rebuild (docs/method.md §18)."""

from __future__ import annotations

import pandas as pd
import torch

from lib_graph.analysis.reopening import Reopened
from lib_graph.data.evaluation import Metric, Total
from lib_graph.errors import UsageError

__all__ = ["ALL", "spliced"]

ALL = ""  # in place of a layer: all of them
ROWS = 8  # samples that are looked at together


@torch.no_grad()
def spliced(opened: Reopened) -> pd.DataFrame:
    """Return rows layer, score: the cross-entropy with a layer replaced by what is rebuilt of it.

    In place of f there is f̃ = Σ_k f̂_k D_k + c, and what follows is computed from that; with layer
    ALL every layer is replaced in turn, each computed from the one before it as it was rebuilt.
    Raw layers stay.

    Raises UsageError for a network without a cross-entropy.
    """
    evaluation = opened.subject.evaluation
    if evaluation is None or evaluation.metric != "cross-entropy":
        raise UsageError(f"{opened.subject.source!r} has no cross-entropy of next tokens.")
    metric, network = Metric(evaluation.metric), opened.network
    replaced = [layer.index for layer in network.layers if not opened.bases[layer.name].raw]
    cases = [*({index} for index in replaced), set(replaced)]
    totals: list[Total | None] = [None] * len(cases)
    for start in range(0, len(evaluation.targets), ROWS):
        here = slice(start, start + ROWS)
        batch = network.run(*(x[here] for x in evaluation.inputs))
        counted = None if evaluation.counted is None else evaluation.counted[here]
        for number, case in enumerate(cases):
            index = min(case)
            f = _rebuilt(opened, index, batch.activations[index])
            for section in network.sections[index:]:
                f = section(f, batch.constants)
                index += 1
                f = _rebuilt(opened, index, f) if index in case else f
            own = metric.total(f, evaluation.targets[here], counted)
            before = totals[number]
            totals[number] = own if before is None else before.merge(own)
    names = [*(network.layers[index].name for index in replaced), ALL]
    scores = [total.mean for total in totals if total is not None]
    return pd.DataFrame({"layer": names, "score": scores})


def _rebuilt(opened: Reopened, index: int, f: torch.Tensor) -> torch.Tensor:
    """Return f̃ of a layer."""
    basis = opened.bases[opened.network.layers[index].name]
    return basis.amounts(f) @ basis.inverse + basis.origin_at(f)
