"""How much of everything a study of language models takes."""

from __future__ import annotations

from dataclasses import dataclass

from lib_graph.analysis.measuring.resampling import drawn
from lib_graph.errors import UsageError
from lib_graph.support import defaults
from lib_graph.support.sparsity import Floats

__all__ = ["Budget"]


@dataclass(frozen=True)
class Budget:
    """How much of everything: what the time goes into, and how well errors are known.

    `deltas` are shares of the network's cross-entropy, `answers` the tokens that a mask is scored
    on, `draws` how often samples are drawn anew.

    Raises UsageError for values that give no answer.
    """

    deltas: tuple[float, ...] = defaults.LOSSES
    answers: int = defaults.ANSWERS
    draws: int = defaults.RESAMPLED
    seed: int = defaults.SEED

    def __post_init__(self) -> None:
        if not self.deltas or len(set(self.deltas)) < len(self.deltas):
            raise UsageError(f"delta is {list(self.deltas)}; give one or more, each once.")
        for delta in self.deltas:
            if not 0 < delta < 1:
                raise UsageError(f"delta is {delta}; it is a share of the cross-entropy, 0 to 1.")
        for name, least in (("answers", 1), ("draws", 20)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} is {getattr(self, name)}; take at least {least}.")

    def drawn(self, samples: int) -> Floats:
        """Return how often each sample counts in each draw."""
        return drawn(samples, self.draws, self.seed)
