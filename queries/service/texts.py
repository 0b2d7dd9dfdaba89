"""Named queries, and Cypher texts of one's own that only read."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from ingest.store.protocol import Bounds
from queries.asking.library import all_queries
from queries.asking.own_text import check_own_text
from queries.service.answers import Answered, answer
from queries.service.asked import MOST, RunGraph

__all__ = ["router"]

router = APIRouter()


class ParameterValues(BaseModel):
    """The parameters of a named query; those that are left out have their defaults."""

    model_config = ConfigDict(extra="forbid")

    parameters: dict[str, Any] = Field(default_factory=dict, max_length=20)


class CypherRequest(BaseModel):
    """A Cypher text; `$run` is the run that is asked about unless it is given."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=20_000)
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=50)
    limit: int = Field(1000, ge=1, le=MOST, description="The most rows that are returned.")
    timeout: float = Field(20.0, gt=0, le=60, description="Seconds that it may take.")


@router.get("/queries", response_model=Answered)
def named_queries() -> Response:
    """Return the named queries: what each answers, its parameters and its Cypher."""
    return answer(None, [asdict(each) for each in all_queries()])


@router.post("/queries/{name}", response_model=Answered)
def ask(
    graph: RunGraph,
    name: Annotated[str, Path(max_length=100)],
    given: Annotated[ParameterValues, Body()],
) -> Response:
    """Ask a named query."""
    table = graph.query(name, **given.parameters)
    return answer(graph.run, table.records(), table.statements)


@router.post("/cypher", response_model=Answered)
def cypher(graph: RunGraph, wanted: Annotated[CypherRequest, Body()]) -> Response:
    """Run a Cypher text that only reads; `more` says that there are more rows than asked for."""
    check_own_text(wanted.text)
    bounds = Bounds(wanted.timeout, wanted.limit + 1)
    table = graph.cypher(wanted.text, wanted.parameters, bounds=bounds)
    rows = table.frame.head(wanted.limit)
    data = {
        "columns": list(table.frame.columns),
        "rows": rows.to_numpy(dtype=object).tolist(),
        "more": len(table.frame) > len(rows),
    }
    return answer(graph.run, data, table.statements)
