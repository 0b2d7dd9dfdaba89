"""What requests have in common: the run that is meant, and the kinds of their parameters."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query, Request

from lib_graph.errors import UsageError
from queries.graph import Graph
from queries.service.held import Served

__all__ = [
    "MOST",
    "Count",
    "FeatureName",
    "Layer",
    "Number",
    "OfRun",
    "RunGraph",
    "Share",
    "Source",
    "Target",
    "TheService",
    "known_parameters",
    "served",
]

MOST = 5000  # rows of an answer
LONGEST = 1000  # letters of a name

OfRun = Annotated[
    str | None,
    Query(alias="run", max_length=LONGEST, description="Id, its beginning, or name."),
]
Layer = Annotated[str | None, Query(max_length=LONGEST)]
FeatureName = Annotated[str, Query(max_length=LONGEST, description="LAYER/INDEX, or an id.")]
Source = Annotated[str | None, Query(max_length=LONGEST, description="LAYER or LAYER/INDEX.")]
Target = Annotated[str | None, Query(max_length=LONGEST, description="LAYER or LAYER/INDEX.")]
Share = Annotated[float, Query(ge=0, le=1, allow_inf_nan=False)]
Number = Annotated[float, Query(allow_inf_nan=False)]
Count = Annotated[int, Query(ge=1, le=MOST)]


def served(request: Request) -> Served:
    """Return what the service holds."""
    found = request.app.state.served
    assert isinstance(found, Served)
    return found


TheService = Annotated[Served, Depends(served)]


def _taken(dependant: Any) -> set[str]:
    """Return the names of the query parameters of a path operation, or of what it depends on."""
    names = {field.alias for field in dependant.query_params}
    return names.union(*map(_taken, dependant.dependencies))


def known_parameters(request: Request) -> None:
    """Raise UsageError if a request has query parameters that what it asks for does not take."""
    route = request.scope["route"]
    known = sorted(_taken(route.dependant))
    if unknown := sorted(set(request.query_params) - set(known)):
        taken = f"It takes {', '.join(known)}." if known else "It takes none."
        raise UsageError(f"{request.url.path} has no parameter {', '.join(unknown)}. {taken}")


def graph(service: TheService, run: OfRun = None) -> Graph:
    """Return the run that is asked about, as the store has it now."""
    return service.graph(run)


RunGraph = Annotated[Graph, Depends(graph)]
