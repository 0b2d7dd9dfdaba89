"""Held-out data on which a network is scored: accuracy, or cross-entropy per answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from lib_graph.errors import NotFoundError

__all__ = ["METRICS", "Evaluation", "Metric", "Total"]

METRICS = ("accuracy", "cross-entropy")


@dataclass(frozen=True)
class Total:
    """A sum over answers, and their number."""

    sum: float
    answers: int

    def merge(self, other: Total) -> Total:
        """Return the sum over both sets of answers."""
        return Total(self.sum + other.sum, self.answers + other.answers)

    @property
    def mean(self) -> float:
        """The sum per answer."""
        return self.sum / self.answers


@dataclass(frozen=True)
class Metric:
    """`accuracy`: the share of answers whose largest output is right; `cross-entropy` in nats.

    Raises NotFoundError for another name.
    """

    name: str

    def __post_init__(self) -> None:
        if self.name not in METRICS:
            raise NotFoundError(
                "metric", self.name, METRICS, f"Choose one of {', '.join(METRICS)}."
            )

    def total(
        self,
        outputs: Float[Tensor, "n t v"],
        targets: Int[Tensor, "n t"],
        counted: Bool[Tensor, "n t"] | None = None,
    ) -> Total:
        """Return the sum over the answers that count.

        >>> outputs = torch.tensor([[[0.0, 2.0]], [[3.0, 1.0]]])
        >>> Metric("accuracy").total(outputs, torch.tensor([[1], [1]]))
        Total(sum=1.0, answers=2)
        """
        if counted is not None:
            outputs, targets = outputs[counted], targets[counted]
        outputs, targets = outputs.flatten(0, -2), targets.flatten()
        if self.name == "accuracy":
            value = (outputs.argmax(-1) == targets).sum()
        else:
            value = functional.cross_entropy(outputs.double(), targets, reduction="sum")
        return Total(float(value), len(targets))

    def loss(self, score: float, baseline: float) -> float:
        """Return by how much a score is worse than the baseline; negative if it is better."""
        return baseline - score if self.name == "accuracy" else score - baseline


@dataclass(frozen=True)
class Evaluation:
    """Data to score a network on, and what it should answer.

    `inputs` are the module's arguments, samples first. `targets` are the right outputs' numbers,
    one a sample, or one a position; `counted` marks the positions whose answers count (None: all).
    `metric` is what the network is usually scored by.
    """

    name: str
    inputs: tuple[Tensor, ...]
    targets: Int[Tensor, "n ..."]
    counted: Bool[Tensor, "n t"] | None = None
    metric: str = "accuracy"

    @classmethod
    def next_tokens(
        cls,
        name: str,
        tokens: Int[Tensor, "n s"],
        counted: Bool[Tensor, "n s"] | None = None,
    ) -> Evaluation:
        """Return what a language model is scored by: the next token, at all positions but the last.

        Where `counted` marks padding, both the position and the next one must count.

        >>> text = Evaluation.next_tokens("text", torch.tensor([[5, 6, 7]]))
        >>> text.targets.tolist(), text.counted.tolist()
        ([[6, 7, 5]], [[True, True, False]])
        """
        here = torch.ones_like(tokens, dtype=torch.bool) if counted is None else counted
        both = here & here.roll(-1, 1)
        both[:, -1] = False
        return cls(name, (tokens,), tokens.roll(-1, 1), both, "cross-entropy")

    def selected(self, chosen: Int[Tensor, " n"]) -> Evaluation:
        """Return some of the samples, by their numbers."""
        return replace(
            self,
            inputs=tuple(x[chosen] for x in self.inputs),
            targets=self.targets[chosen],
            counted=None if self.counted is None else self.counted[chosen],
        )

    def even(self, answers: int) -> Int[Tensor, " n"] | None:
        """Return an even selection of the samples, by number, that has about so many answers.

        Only answers that count are counted. None where there are no more than that.

        >>> Evaluation("x", (torch.zeros(5),), torch.arange(5)).even(2).tolist()
        [0, 4]
        """
        whole = self.targets.numel() if self.counted is None else int(self.counted.sum())
        if whole <= answers:
            return None
        size = len(self.inputs[0])
        return torch.linspace(0, size - 1, max(answers * size // whole, 1)).round().long()
