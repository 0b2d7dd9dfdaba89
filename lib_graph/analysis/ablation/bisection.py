"""The number that bisection finds, and those that are required for some losses of score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lib_graph.data.evaluation import Metric
from lib_graph.errors import UsageError

__all__ = ["Required", "bisect", "check_reachable", "required"]


def bisect(passes: Callable[[int], bool], most: int) -> int:
    """Return a number that passes whose predecessor does not, given that `most` passes.

    From 0, which is not tried, and `most`, the middle being rounded up. Where passing is not
    monotone it need not be the smallest.

    >>> bisect(lambda n: n >= 133, 16641)
    133
    """
    low, high = 0, most
    while high - low > 1:
        middle = (low + high + 1) // 2
        if passes(middle):
            high = middle
        else:
            low = middle
    return high


def check_reachable(metric: Metric, delta: float, score: float, baseline: float, what: str) -> None:
    """Raise UsageError if not even everything that could be kept gives a good enough score."""
    if not delta >= 0:
        raise UsageError(f"delta is {delta}; the loss of score that is allowed is at least 0.")
    loss = metric.loss(score, baseline)
    if not loss <= delta:
        raise UsageError(
            f"Not even all of {what} keeps the {metric.name} within {delta:g}: it is {score:.6g}, "
            f"worse by {loss:.3g} than the {baseline:.6g} of the network. Allow more than that, or "
            "build a run that cuts fewer features (--tau-pca, --tau-lib)."
        )


@dataclass(frozen=True)
class Required:
    """The scores of all numbers that were tried, and the number required at each loss allowed."""

    scores: dict[int, float]
    numbers: dict[float, int]


def required(
    score: Callable[[int], float],
    most: int,
    deltas: Sequence[float],
    *,
    metric: Metric,
    baseline: float,
    what: str,
    entries: int | None = None,
) -> Required:
    """Return how many of `most` are required at each of some losses of score, by bisection.

    It begins with `entries` (default: `most`), all above `most` being `most`. No number is scored
    twice, whatever the losses. Raises what `check_reachable` does.
    """
    scores = {}

    def known(n: int) -> float:
        n = min(n, most)
        if n not in scores:
            scores[n] = score(n)
        return scores[n]

    def found(delta: float) -> int:
        check_reachable(metric, delta, known(most), baseline, what)
        known(0)
        return bisect(lambda n: metric.loss(known(n), baseline) <= delta, entries or most)

    return Required(scores, {delta: min(found(delta), most) for delta in deltas})
