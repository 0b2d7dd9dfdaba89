"""Circuits: find one, put one together, and those that are saved."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from lib_graph.errors import UsageError
from lib_graph.support import defaults
from queries.circuits.circuit import Circuit
from queries.graph import Graph
from queries.service.answers import Answered, answer
from queries.service.asked import LONGEST, MOST, OfRun, RunGraph, Share, Source, TheService

__all__ = ["router"]

router = APIRouter()
Place = Annotated[str, Field(max_length=LONGEST)]
Name = Annotated[str, Query(max_length=200)]
How = Literal["shares", "paths", "size"]


class CircuitRequest(BaseModel):
    """A circuit that is put together: all interactions among `features`, or these alone."""

    model_config = ConfigDict(extra="forbid")

    features: list[Place] | None = Field(None, max_length=MOST)
    interactions: list[tuple[Place, Place]] | None = Field(None, max_length=MOST)

    def circuit(self, graph: Graph) -> Circuit:
        """Return the circuit in this graph.

        Raises UsageError if not exactly one of the two is given, and what the graph raises.
        """
        if (self.features is None) == (self.interactions is None):
            raise UsageError("Give the circuit's features, or its interactions: one of the two.")
        if self.features is not None:
            return graph.circuit_among(self.features)
        return graph.circuit_of_pairs(self.interactions or [])


class SaveRequest(CircuitRequest):
    """A circuit, and the name under which it is saved."""

    name: str = Field(max_length=200)
    replace: bool = False


class RenameRequest(BaseModel):
    """The name that a saved circuit gets."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=200)


@router.get("/circuit", response_model=Answered)
def find(
    graph: RunGraph,
    target: Annotated[str, Query(max_length=LONGEST)],
    source: Source = None,
    how: How = "shares",
    min_share: Share = defaults.MIN_SHARE,
    k: Annotated[int, Query(ge=1, le=1000)] = defaults.PATHS,
    size: Annotated[int, Query(ge=1, le=1000)] = defaults.SIZE,
    min_importance: Share = defaults.MIN_IMPORTANCE,
) -> Response:
    """Return the circuit that leads to a place.

    how: all on a path whose every share is at least `min_share`, the union of the `k` strongest
    paths, or grown path by path to `size` interactions.
    """
    found = _found(graph, how, target, source, min_share, k, size, min_importance)
    return answer(graph.run, found.json_value(), found.statements)


def _found(
    graph: Graph,
    how: How,
    target: str,
    source: str | None,
    min_share: float,
    k: int,
    size: int,
    least: float,
) -> Circuit:
    if how == "paths":
        paths = graph.paths(target=target, source=source, k=k, min_importance=least)
        return graph.circuit_of(paths)
    if how == "size":
        return graph.grow_circuit(target=target, source=source, size=size, min_importance=least)
    return graph.circuit(target=target, source=source, min_share=min_share, min_importance=least)


@router.post("/circuit", response_model=Answered)
def put_together(graph: RunGraph, wanted: Annotated[CircuitRequest, Body()]) -> Response:
    """Return the circuit of some features, or of some interactions."""
    found = wanted.circuit(graph)
    return answer(graph.run, found.json_value(), found.statements)


@router.get("/circuits", response_model=Answered)
def saved(graph: RunGraph) -> Response:
    """Return the saved circuits of a run, by name."""
    table = graph.circuits.table()
    return answer(graph.run, table.records(), table.statements)


@router.post("/circuits", response_model=Answered)
def save(
    service: TheService, wanted: Annotated[SaveRequest, Body()], run: OfRun = None
) -> Response:
    """Save a circuit under a name."""
    with service.writing(run) as graph:
        found = graph.circuits.save(wanted.circuit(graph), wanted.name, replace=wanted.replace)
        return answer(graph.run, found.json_value(), found.statements)


@router.get("/circuits/saved", response_model=Answered)
def load(graph: RunGraph, name: Name) -> Response:
    """Return a saved circuit."""
    found = graph.circuits.load(name)
    return answer(graph.run, found.json_value(), found.statements)


@router.put("/circuits/saved", response_model=Answered)
def rename(
    service: TheService, name: Name, wanted: Annotated[RenameRequest, Body()], run: OfRun = None
) -> Response:
    """Give a saved circuit another name; its scores stay."""
    with service.writing(run) as graph:
        found = graph.circuits.rename(name, wanted.name)
        return answer(graph.run, found.json_value(), found.statements)


@router.delete("/circuits/saved", response_model=Answered)
def delete(service: TheService, name: Name, run: OfRun = None) -> Response:
    """Delete a saved circuit."""
    with service.writing(run) as graph:
        graph.circuits.delete(name)
        return answer(graph.run, {"deleted": name})


@router.get("/circuits/compare", response_model=Answered)
def compare(graph: RunGraph, name: Annotated[list[Name], Query(max_length=20)]) -> Response:
    """Return what each two of the named circuits have in common."""
    found = graph.circuits.compare(name)
    return answer(graph.run, found.json_value(), found.statements)
