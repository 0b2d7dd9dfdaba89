"""A run as one HTML page: what it is, what was found, and the command for each of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lib_graph.support.files import whole_file
from lib_graph.support.progress import USUAL, Progress
from lib_graph.support.view import View
from queries.asking.library import queries_table
from queries.report.ablations import ablation_part
from queries.report.blocks import Chapter, Grid
from queries.report.features import features_part, spectra_part
from queries.report.flow import circuits_part, interactions_part, paths_part
from queries.report.modules import modules_part
from queries.report.page import render
from queries.report.prompt import (
    prompt_circuits,
    prompt_interactions,
    prompt_layers,
    prompt_part,
    prompt_title,
)
from queries.report.run import layers_part, run_part
from queries.report.source import Source
from queries.views.answers import queries_view

__all__ = ["Source", "report_parts", "write_report"]


def write_report(source: Source, path: str | Path, *, progress: Progress = USUAL) -> None:
    """Write the report of a run: one HTML file that needs no network and no other file.

    The same run and circuits give the same bytes. Raises RunError for examples that are damaged,
    ConflictError for a saved circuit of a graph that has changed.
    """
    run = source.manifest
    about = f"What lib-graph found in the network {run.model.name}, in the basis {run.basis}."
    if run.prompt is not None:
        about = prompt_title(source, run.prompt)
    page = render(run.name, about, report_parts(source, progress=progress))
    with whole_file(Path(path)) as temporary:
        temporary.write_bytes(page.encode("utf-8", "replace"))


def report_parts(source: Source, *, progress: Progress = USUAL) -> list[Chapter]:
    """Return the parts of a report, in their order."""
    makers = _makers(source)
    parts = []
    with progress.stage("report", len(makers)) as advance:
        for make in makers:
            parts.append(make(source))
            advance(1)
    return parts


def _makers(source: Source) -> tuple[Callable[[Source], Chapter], ...]:
    """Return what makes each part; an attribution graph has fewer, and says some otherwise."""
    communities, prompt = source.graph.communities(), source.manifest.prompt
    if prompt is not None:
        return (
            lambda source: prompt_part(source, prompt),
            prompt_layers,
            prompt_interactions,
            lambda source: paths_part(source, communities),
            lambda source: prompt_circuits(source, communities),
            lambda source: modules_part(source, communities),
            _questions,
        )
    return (
        run_part,
        layers_part,
        spectra_part,
        features_part,
        interactions_part,
        lambda source: paths_part(source, communities),
        lambda source: circuits_part(source, communities),
        ablation_part,
        lambda source: modules_part(source, communities),
        _questions,
    )


def _questions(source: Source) -> Chapter:
    """Return the named queries."""
    view = queries_view(queries_table())
    about = (
        "Questions that have a name. Each is a Cypher text, which Neo4j Browser takes as it is; "
        "--show-cypher prints it."
    )
    return Chapter(
        "questions", "More questions", about,
        (Grid("Named queries", View(view.columns, view.rows), folded=True),),
        (source.ask("query hubs"), "lib-graph queries hubs"),
    )  # fmt: skip
