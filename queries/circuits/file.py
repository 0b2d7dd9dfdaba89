"""Circuits as JSON files: what `Circuit.save` wrote, perhaps with the scores of a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from lib_graph.errors import UsageError
from queries.circuits.circuit import Scores

__all__ = ["CircuitFile", "read_circuit"]


class _Record(BaseModel):
    # a test of a circuit may note more than is stored, such as its settings
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Interaction(_Record):
    """The ids of an interaction's ends."""

    source: str
    target: str


class CircuitFile(_Record):
    """What is read of a file. The numbers of features and interactions are the graph's own."""

    run: str
    name: str | None = None
    query: dict[str, Any]
    score: float | None = None
    baseline: float | None = None
    random_score: float | None = None
    metric: str | None = None
    interactions: tuple[Interaction, ...]

    def pairs(self) -> list[tuple[str, str]]:
        """Return the interactions as (source id, target id)."""
        return [(each.source, each.target) for each in self.interactions]

    def scores(self) -> Scores | None:
        """Return the scores, or None where one of the three is missing."""
        if self.score is None or self.baseline is None or self.random_score is None:
            return None
        return Scores(self.score, self.baseline, self.random_score, self.metric)


def read_circuit(path: Path) -> CircuitFile:
    """Return the circuit of a JSON file; raise UsageError if the file is no circuit."""
    if not path.is_file():
        raise UsageError(f"There is no file {str(path)!r}.")
    try:
        return CircuitFile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(
            f"{str(path)!r} is no circuit ({where}: {first['msg']}). 'lib-graph circuits export' "
            "writes one."
        ) from error
