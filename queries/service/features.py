"""One feature: its interactions, examples, label, and those of other runs that are like it."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import pandas as pd
from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from lib_graph.errors import NotFoundError, UsageError
from lib_graph.run import Run
from lib_graph.run.examples import NAME, read_examples
from lib_graph.run.histograms import NAME as HISTOGRAMS
from lib_graph.run.histograms import read_histogram
from lib_graph.run.kept import made_from
from lib_graph.run.labels import as_label
from lib_graph.support import defaults
from lib_graph.support.tables import records_of
from queries.asking.places import ADVICE, Place
from queries.graph import Graph
from queries.service.answers import Answered, answer
from queries.service.asked import LONGEST, FeatureName, OfRun, RunGraph, Share, TheService

__all__ = ["router"]

router = APIRouter()
Few = Annotated[int, Query(ge=1, le=1000)]
NONE = {"examples": None, "histogram": None, "findable": False}


class LabelRequest(BaseModel):
    """The label of a feature; the empty text takes a written one away."""

    model_config = ConfigDict(extra="forbid")

    feature: str = Field(max_length=LONGEST)
    label: str = Field(max_length=LONGEST)


@router.get("/feature", response_model=Answered)
def feature(graph: RunGraph, feature: FeatureName, limit: Few = defaults.LIMIT) -> Response:
    """Return a feature with its strongest inputs and outputs: `limit` of each.

    Raises NotFoundError if there is no such feature.
    """
    place = _feature(graph, feature)
    table = graph.features(layer=place.layer.name)
    rows = table.frame[table.frame["index"] == place.index]
    if not len(rows):
        known = [f"{place.layer.name}/{index}" for index in table.frame["index"]]
        raise NotFoundError("feature", str(place), known, ADVICE)
    inputs = graph.interactions(target=feature, limit=limit)
    outputs = graph.interactions(source=feature, limit=limit, constants=True)
    (row,) = records_of(rows)
    total = table.frame["importance"].sum()
    known_share = row["importance"] is not None and total > 0
    data = {
        **row,
        "importance_share": row["importance"] / total if known_share else None,
        "inputs": inputs.records(),
        "outputs": outputs.records(),
    }
    statements = (*table.statements, *inputs.statements, *outputs.statements)
    return answer(graph.run, data, statements)


@router.get("/examples", response_model=Answered)
def examples(
    service: TheService, graph: RunGraph, feature: FeatureName, limit: Few = defaults.SHOWN
) -> Response:
    """Return the inputs on which a feature is largest, and most negative; images are PNG in base64.

    `histogram` says how often it takes which values. They are in the run's folder; `advice` says
    what brings them where there are none, and `findable` that a job can.
    """
    place = _feature(graph, feature)
    if graph.run.prompt is not None:
        advice = "An attribution graph has none: they need the network and data."
        return answer(graph.run, {**NONE, "advice": advice})
    run = service.folder_of_features(graph.run)
    if run is None:
        names = f"run {graph.run.base or graph.run.id}"
        advice = f"The folder of {names} is not at hand. Start the service with --folder."
        return answer(graph.run, {**NONE, "advice": advice})
    if not (run.path / NAME).exists():
        advice = f"There are none yet: lib-graph examples {shlex.quote(str(run.path))}"
        findable = run.id == graph.run.id
        return answer(graph.run, {**NONE, "advice": advice, "findable": findable})
    found = read_examples(run, layer=place.layer.name, index=place.index)
    found = found[found["rank"].abs() <= limit]
    assert place.index is not None  # `_feature` refuses a layer
    histogram = read_histogram(run, place.layer.name, place.index)
    data = {
        "examples": records_of(found),
        "histogram": None if histogram is None else histogram.json_value(),
        "advice": None if (run.path / HISTOGRAMS).exists() else _recount(run),
        "findable": False,
    }
    return answer(graph.run, data)


@router.get("/labels", response_model=Answered)
def labels(graph: RunGraph) -> Response:
    """Return the label of each feature that has one, by id."""
    table = graph.features()
    rows = table.frame[table.frame["label"].fillna("") != ""]
    return answer(graph.run, dict(zip(rows["id"], rows["label"], strict=True)), table.statements)


@router.put("/labels", response_model=Answered)
def write_label(
    service: TheService, wanted: Annotated[LabelRequest, Body()], run: OfRun = None
) -> Response:
    """Write a label: into the store, and into the run's folder if that is at hand.

    A label that is in the store alone is lost when the run is loaded again.
    """
    with service.writing(run) as graph:
        place = _feature(graph, wanted.feature)
        folder = service.folder(graph.run)
        text = as_label(wanted.label)
        with graph.store.writing():  # nobody else's meanwhile: both are labelled, or neither
            graph.label(wanted.feature, text)
            if folder is not None and (kept := _keep(folder, place, text)) != text:
                graph.label(wanted.feature, kept)
                text = kept
        data = {
            "feature": f"{graph.run.id}/{place}",
            "label": text,
            "kept_in": ["store"] if folder is None else ["store", "folder"],
        }
        return answer(graph.run, data)


@router.get("/matches", response_model=Answered)
def matches(
    graph: RunGraph, feature: FeatureName, min_correlation: Share = 0.0, k: Few = defaults.LIMIT
) -> Response:
    """Return the features of other runs that are like one: the named query 'matches'."""
    place = _feature(graph, feature)
    table = graph.query("matches", feature=str(place), min_correlation=min_correlation, k=k)
    return answer(graph.run, table.records(), table.statements)


@router.get("/matched", response_model=Answered)
def matched(
    graph: RunGraph, other: Annotated[str, Query(max_length=LONGEST, description="A run.")]
) -> Response:
    """Return the features of a run and of another that are most like each other."""
    table = graph.matched(other)
    return answer(graph.run, table.records(), table.statements)


def _feature(graph: Graph, text: str) -> Place:
    place = graph.place(text)
    if place.index is None:
        raise UsageError(f"{text!r} is a layer. Write LAYER/INDEX for a feature.")
    return place


def _recount(run: Run) -> str:
    """Return what makes histograms beside the examples that are there, as many as they are."""
    count = (made_from(run.path / NAME) or {}).get("count", defaults.EXAMPLES)
    more = "" if count == defaults.EXAMPLES else f" -n {count}"
    return f"No values were counted: lib-graph examples {shlex.quote(str(run.path))}{more}"


def _keep(folder: Run, place: Place, text: str) -> str:
    """Write a label into the folder and return the one that counts now."""
    assert place.index is not None
    folder.label(place.layer.name, place.index, text)
    label: Any = folder.feature(place.layer.name, place.index)["label"]
    return "" if pd.isna(label) else str(label)
