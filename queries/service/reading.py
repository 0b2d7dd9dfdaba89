"""Runs, layers, features, interactions, paths: the requests that only read."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse

from lib_graph.support import defaults
from lib_graph.support.tables import records_of
from queries.asking.listing import Sort
from queries.asking.statements import Statement, read_text
from queries.service.answers import Answered, answer
from queries.service.asked import (
    Count,
    Layer,
    Number,
    RunGraph,
    Share,
    Source,
    Target,
    TheService,
)
from queries.service.saved_page import prompt_data, saved_page, view_data

__all__ = ["router"]

router = APIRouter()
Page = Annotated[int, Query(ge=0, le=2**31)]
Words = Annotated[str, Query(max_length=200)]
OtherRun = Annotated[str | None, Query(max_length=1000, description="A run.")]


@router.get("/runs", response_model=Answered)
def runs(service: TheService) -> Response:
    """Return the complete runs of the store, the newest first, and the one to be shown at first."""
    chosen = service.chosen()
    table = service.graph(chosen.id).runs()
    data = {"store": service.name, "chosen": chosen.id, "runs": table.records()}
    return answer(None, data, table.statements)


@router.get("/layers", response_model=Answered)
def layers(graph: RunGraph) -> Response:
    """Return the layers of a run, from the first to the last."""
    asked = Statement(read_text("layers"), {"run": graph.run.id})
    return answer(graph.run, [asdict(each) for each in graph.layers], [asked])


@router.get("/prompt", response_model=Answered)
def prompt(graph: RunGraph) -> Response:
    """Return the tokens of an attribution graph and its nodes as columns; null for other runs."""
    found = graph.prompt()
    return answer(graph.run, prompt_data(found), () if found is None else found.statements)


@router.get("/features", response_model=Answered)
def features(
    graph: RunGraph,
    layer: Layer = None,
    search: Words = "",
    sort: Sort = defaults.SORT,
    offset: Page = 0,
    limit: Count = defaults.PAGE,
) -> Response:
    """Return a page of the features: those whose id or label contains all words of `search`."""
    table = graph.features(layer=layer, sort=sort)
    frame = table.frame
    for word in search.lower().split():
        text = frame["id"].str.cat(frame["label"].fillna(""), sep=" ").str.lower()
        frame = frame[text.str.contains(word, regex=False)]
    page = frame.iloc[offset : offset + limit]
    data = {"total": len(frame), "offset": offset, "features": records_of(page)}
    return answer(graph.run, data, table.statements)


@router.get("/interactions", response_model=Answered)
def interactions(
    graph: RunGraph,
    source: Source = None,
    target: Target = None,
    min_strength: Number = defaults.MIN_STRENGTH,
    limit: Count = defaults.LIMIT,
    constants: bool = False,
) -> Response:
    """Return the strongest interactions from a place, into a place, or of all."""
    table = graph.interactions(
        source=source, target=target, min_strength=min_strength, limit=limit, constants=constants
    )
    return answer(graph.run, table.records(), table.statements)


@router.get("/paths", response_model=Answered)
def paths(
    graph: RunGraph,
    source: Source = None,
    target: Target = None,
    k: Annotated[int, Query(ge=1, le=1000)] = defaults.PATHS,
    distinct: Annotated[int | None, Query(ge=1, le=1000)] = None,
    min_importance: Share = defaults.MIN_IMPORTANCE,
) -> Response:
    """Return the k strongest paths from one place to another.

    distinct: at most so many of them take the same interaction.
    """
    found = graph.paths(
        source=source, target=target, k=k, distinct=distinct, min_importance=min_importance
    )
    data = {"query": dict(found.query), "paths": found.records()}
    return answer(graph.run, data, found.statements)


@router.get("/view", response_model=Answered)
def view(service: TheService, graph: RunGraph, share: Share = defaults.KEPT) -> Response:
    """Return what the page shows first: the interactions that carry most of the strength.

    Tables are columns of values; an interaction names its ends by their places among the features.
    There are never more than 5,000 interactions.
    """

    def find() -> Response:
        ranked = service.ranked(graph)
        found = graph.overview(share=share, ranked=ranked)
        return answer(graph.run, view_data(found, ranked), found.statements)

    if graph.store.columns() is None:  # nothing tells when another process has written a label
        return find()
    return service.once(graph, "view", share, find=find)


@router.get("/page", response_class=HTMLResponse)
def page(service: TheService, graph: RunGraph, share: Share = defaults.KEPT) -> HTMLResponse:
    """Return the page with this run's view in it, as one HTML file that needs no service."""
    ranked, modules = service.ranked(graph), service.communities(graph)
    folder = None if graph.run.prompt is not None else service.folder_of_features(graph.run)
    return HTMLResponse(saved_page(graph, ranked, modules, share=share, folder=folder))


@router.get("/unusual", response_model=Answered)
def unusual(
    graph: RunGraph,
    against: OtherRun = None,
    min_share: Share = defaults.MIN_SHARE,
    min_importance: Share = defaults.LEAST_TARGET,
    limit: Count = defaults.LIMIT,
) -> Response:
    """Return what a run of one input uses that the average does not: the verb 'unusual'."""
    table = graph.unusual(
        against=against, min_share=min_share, min_importance=min_importance, limit=limit
    )
    return answer(graph.run, table.records(), table.statements)
