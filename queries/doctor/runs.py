"""The runs of a store: whether there are any, whole and of a version that is read."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ingest.schema import GRAPH_VERSION
from lib_graph.support.texts import counted
from queries.asking.runs import RunInfo
from queries.asking.statements import read_text
from queries.doctor.checks import Asking, Check

__all__ = ["check_runs", "read_runs"]


def read_runs(asking: Asking) -> list[RunInfo]:
    """Return all runs of a store, the unfinished among them, from the graph itself."""
    return [RunInfo(**row) for row in asking.rows(read_text("all_runs"))]


def check_runs(runs: Sequence[RunInfo], store: str) -> list[Check]:
    """Return what there is to say of the runs of a store."""
    whole = [run.interactions for run in runs if run.status == "complete"]
    if whole:
        found = f"{counted(len(whole), 'run')}, {counted(sum(whole), 'interaction')}"
        check = Check("store", "runs", found)
    else:
        nothing = "There is nothing to ask."
        check = Check("store", "runs", "none", "lacking", nothing, _ingest(store))
    return [check, *_odd(runs, store)]


def _odd(runs: Sequence[RunInfo], store: str) -> list[Check]:
    """Return a check for each run that is unfinished, or of another version of the graph."""
    found = []
    for run in runs:
        what = f"{run.id} ({run.name})"
        if run.status != "complete":
            again = f"lib-graph delete {run.id} --store {shlex.quote(store)}"
            found.append(Check(
                "store", "unfinished run", f"{what}: {run.status}", "lacking",
                "It takes space, and nobody sees it.",
                _ingest(store) if run.status == "loading" else again,
            ))  # fmt: skip
        elif run.schema_version != GRAPH_VERSION:
            old = run.schema_version < GRAPH_VERSION
            found.append(Check(
                "store", "version of a run",
                f"{what}: {run.schema_version}, and {GRAPH_VERSION} is read", "wrong",
                "No verb reads the runs of this store.",
                f"lib-graph upgrade --store {shlex.quote(store)}" if old
                else "pip install --upgrade lib-graph",
            ))  # fmt: skip
    return found


def _ingest(store: str) -> str:
    return f"lib-graph ingest RUN --store {shlex.quote(store)}"
