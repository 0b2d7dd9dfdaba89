"""A circuit as JSON has it: one form for all that write one and all that read one.

`lib-graph circuit --json`, `circuits export`, `export circuit --format json` and `ablate RUN
circuit --out` write it; `ablate RUN circuit` and `circuits import` read it. Every field is written,
null where nothing is known. What is read needs its run and, of every interaction, source, target
and strength; the rest may be left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lib_graph.errors import UsageError
from lib_graph.support.files import write_json
from lib_graph.support.tables import records_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "EFFECT",
    "FEATURE_COLUMNS",
    "INTERACTION_COLUMNS",
    "SCORES",
    "AnswerScores",
    "CircuitFeature",
    "CircuitFile",
    "CircuitInteraction",
    "PairScores",
    "Scores",
    "read_circuit",
]


EFFECT = "effect kept on its answers"
"""The metric of a circuit that leads to some of the answers"""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class CircuitFeature(_Record):
    """A feature: what the run says of it."""

    id: str
    layer: str
    layer_index: int
    index: int
    role: str
    importance: float | None
    variance: float | None
    label: str


class CircuitInteraction(_Record):
    """An interaction between two features, named by their ids."""

    source: str
    target: str
    strength: float
    stderr: float | None = None
    effect: float | None = None
    share: float | None = None
    source_label: str = ""
    target_label: str = ""


class PairScores(_Record):
    """How a circuit says of inputs, one answer after the other, "it is this one".

    `pairs` is the number of pairs of an input and an answer. `effect_kept` is the circuit's effect
    on the answers' logits as a share of the whole network's (docs/method.md §13), the accuracies
    are of "is it this answer". All but `pairs` are null where there are none.
    """

    pairs: int
    effect_kept: float | None
    random_effect_kept: float | None
    accuracy: float | None
    baseline_accuracy: float | None
    random_accuracy: float | None


class AnswerScores(_Record):
    """A circuit that leads to `answers`, on the inputs whose answer each is and on the others."""

    answers: tuple[int, ...]
    own: PairScores
    others: PairScores

    def scores(self) -> Scores:
        """Return the three numbers that stand for it: the effect kept on the circuit's answers."""
        kept, random = self.own.effect_kept, self.own.random_effect_kept
        assert kept is not None
        assert random is not None
        return Scores(kept, 1.0, random, EFFECT, self)


@dataclass(frozen=True)
class Scores:
    """What a test of a circuit found: the model's score when only the circuit is left of it.

    `baseline` is the score of the whole model, `random_score` that of random circuits of the same
    size. `metric` says what the score is: accuracy, cross-entropy, or EFFECT where the circuit
    leads to some answers only, and then `answers` has the rest.
    """

    score: float
    baseline: float
    random_score: float
    metric: str | None = None
    answers: AnswerScores | None = None


FEATURE_COLUMNS = tuple(CircuitFeature.model_fields)
INTERACTION_COLUMNS = tuple(CircuitInteraction.model_fields)
SCORES = tuple(each.name for each in fields(Scores))


class CircuitFile(_Record):
    """Features and interactions of one run, how they were found, and how well they do alone.

    `query` says how the circuit was found. `name` is null until it is saved, `score`, `baseline`
    and `random_score` until it is tested, `answers` where it was tested over all answers.
    """

    run: str
    name: str | None = None
    query: dict[str, Any] = Field(default_factory=dict)
    score: float | None = None
    baseline: float | None = None
    random_score: float | None = None
    metric: str | None = None
    answers: AnswerScores | None = None
    features: tuple[CircuitFeature, ...] = ()
    interactions: tuple[CircuitInteraction, ...]

    @model_validator(mode="after")
    def _scored_or_not(self) -> CircuitFile:
        known = [name for name in SCORES[:3] if getattr(self, name) is not None]
        if known and len(known) < 3:
            raise ValueError(f"{' and '.join(known)} without the rest of {', '.join(SCORES[:3])}")
        return self

    @classmethod
    def of(
        cls,
        run: str,
        query: Mapping[str, Any],
        features: pd.DataFrame,
        interactions: pd.DataFrame,
        *,
        name: str | None = None,
        scores: Scores | None = None,
    ) -> CircuitFile:
        """Return a circuit whose tables have at least FEATURE_COLUMNS and INTERACTION_COLUMNS."""
        nodes, edges = features[[*FEATURE_COLUMNS]], interactions[[*INTERACTION_COLUMNS]]
        return cls(
            run=run,
            name=name,
            query=dict(query),
            features=tuple(CircuitFeature(**row) for row in records_of(nodes)),
            interactions=tuple(CircuitInteraction(**row) for row in records_of(edges)),
            **(vars(scores) if scores else {}),
        )

    def pairs(self) -> list[tuple[str, str]]:
        """Return the interactions as (source id, target id)."""
        return [(each.source, each.target) for each in self.interactions]

    def scores(self) -> Scores | None:
        """Return the scores, None where the circuit was not tested."""
        if self.score is None or self.baseline is None or self.random_score is None:
            return None
        return Scores(self.score, self.baseline, self.random_score, self.metric, self.answers)

    def scored(self, scores: Scores) -> CircuitFile:
        """Return the circuit with other scores."""
        return self.model_copy(update=vars(scores))

    def json_value(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return self.model_dump(mode="json")

    def write(self, path: Path) -> None:
        """Write it as a JSON file."""
        write_json(path, self.json_value())


def read_circuit(path: Path) -> CircuitFile:
    """Return the circuit of a JSON file.

    Raises UsageError, with the first field that is missing or wrong, if the file is no circuit.
    """
    try:
        return CircuitFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(
            f"{str(path)!r} is no circuit ({where}: {first['msg']}). 'lib-graph circuits export' "
            "and 'lib-graph export circuit --format json' write one."
        ) from error
