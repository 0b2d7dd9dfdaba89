"""Modules, what flows between them, and what ablations found."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from lib_graph.support import defaults
from lib_graph.support.tables import records_of
from queries.modules.communities import Communities
from queries.modules.graph import Weights
from queries.modules.modularity import Method
from queries.service.answers import Answered, answer
from queries.service.asked import RunGraph, TheService
from queries.service.saved_page import communities_data

__all__ = ["router"]

router = APIRouter()
Resolution = Annotated[float, Query(gt=0, le=1000, allow_inf_nan=False)]
Seed = Annotated[int, Query(ge=0, lt=2**32)]


def found(
    service: TheService,
    graph: RunGraph,
    method: Method = defaults.METHOD,
    weights: Weights = defaults.WEIGHTS,
    resolution: Resolution = defaults.RESOLUTION,
    seed: Seed = defaults.SEED,
) -> Communities:
    """Return the modules that are asked about."""
    return service.communities(
        graph, method=method, weights=weights, resolution=resolution, seed=seed
    )


Found = Annotated[Communities, Depends(found)]


@router.get("/communities", response_model=Answered)
def communities(graph: RunGraph, found: Found) -> Response:
    """Return the modules of a run, the largest first, and their colours in all pictures."""
    return answer(graph.run, communities_data(found), found.statements)


@router.get("/supernodes", response_model=Answered)
def supernodes(graph: RunGraph, found: Found) -> Response:
    """Return the graph of modules: each is one node, and what flows between two is one edge."""
    flow = graph.module_flow(found)
    return answer(graph.run, flow.json_value(), flow.statements)


@router.get("/ablations", response_model=Answered)
def ablations(graph: RunGraph) -> Response:
    """Return what ablations of a run found, null where nothing was ablated."""
    found = graph.ablations()
    if found is None:
        return answer(graph.run, None)
    data = {"metric": found.metric, "rows": records_of(found.frame)}
    return answer(graph.run, data, found.statements)
