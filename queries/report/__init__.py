"""A run as one HTML page: what it is, what was found, and the command for each of it."""

from __future__ import annotations

from pathlib import Path

from lib_graph.support.files import whole_file
from lib_graph.support.progress import SILENT, Progress
from lib_graph.support.view import View
from queries.asking.library import queries_table
from queries.report.ablations import ablation_part
from queries.report.blocks import Grid, Part
from queries.report.features import features_part, spectra_part
from queries.report.flow import circuits_part, interactions_part, paths_part
from queries.report.modules import modules_part
from queries.report.page import render
from queries.report.run import layers_part, run_part
from queries.report.source import Subject
from queries.views.answers import queries_view

__all__ = ["Subject", "report_parts", "write_report"]


def write_report(subject: Subject, path: str | Path, *, progress: Progress = SILENT) -> None:
    """Write the report of a run: one HTML file that needs no network and no other file.

    The same run and circuits give the same bytes. Raises RunError for examples that are damaged,
    ConflictError for a saved circuit of a graph that has changed.
    """
    run = subject.manifest
    about = f"What lib-graph found in the network {run.model.name}, in the basis {run.basis}."
    page = render(run.name, about, report_parts(subject, progress=progress))
    with whole_file(Path(path)) as temporary:
        temporary.write_bytes(page.encode("utf-8", "replace"))


def report_parts(subject: Subject, *, progress: Progress = SILENT) -> list[Part]:
    """Return the parts of a report, in their order."""
    communities = subject.graph.communities()
    makers = (
        run_part,
        layers_part,
        spectra_part,
        features_part,
        interactions_part,
        lambda subject: paths_part(subject, communities),
        lambda subject: circuits_part(subject, communities),
        ablation_part,
        lambda subject: modules_part(subject, communities),
        _questions,
    )
    parts = []
    with progress.stage("report", len(makers)) as advance:
        for make in makers:
            parts.append(make(subject))
            advance(1)
    return parts


def _questions(subject: Subject) -> Part:
    """Return the named queries."""
    view = queries_view(queries_table())
    about = (
        "Questions that have a name. Each is a Cypher text, which Neo4j Browser takes as it is; "
        "--show-cypher prints it."
    )
    return Part(
        "questions", "More questions", about,
        (Grid("Named queries", View(view.columns, view.rows), folded=True),),
        (subject.ask("query hubs"), "lib-graph queries hubs"),
    )  # fmt: skip
