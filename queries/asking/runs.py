"""Which runs a store holds, and which one a person means."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.versions import check_versions
from lib_graph.errors import NotFoundError, UsageError
from queries.asking.statements import Statement, read_text

if TYPE_CHECKING:
    from ingest.store import GraphStore
    from ingest.store.columns import KeptRuns
    from queries.asking.tables import Table

__all__ = ["RunInfo", "choose_run", "list_runs", "run_meant", "runs_table"]


@dataclass(frozen=True)
class RunInfo:
    """What a store says about a run."""

    id: str
    name: str
    model: str
    basis: str
    base: str | None
    status: str
    features: int
    interactions: int
    created: str
    loaded: str | None
    schema_version: int
    prompt: str | None = None
    """That of an attribution graph, None of a run over data"""


def list_runs(store: GraphStore, *, unfinished: bool = False) -> list[RunInfo]:
    """Return the complete runs of a store, or also the unfinished ones, the newest first.

    Raises StoreUnavailableError if one is to be read, and has another version of the graph.
    """
    kept = store.columns()
    rows = store.execute(_text(unfinished)) if kept is None else _kept_rows(kept, unfinished)
    runs = [RunInfo(**row) for row in rows]
    if not unfinished:
        check_versions(store.name, {run.id: run.schema_version for run in runs})
    return runs


def runs_table(store: GraphStore, *, unfinished: bool = False) -> Table:
    """Return what `list_runs` does as a table with the fields of RunInfo."""
    import pandas as pd

    from queries.asking.tables import Table

    text, kept = _text(unfinished), store.columns()
    if kept is None:
        return Table(store.frame(text), (Statement(text, {}),))
    frame = pd.DataFrame(_kept_rows(kept, unfinished), columns=list(RunInfo.__annotations__))
    return Table(frame, (Statement(text, {}),))


def choose_run(runs: Sequence[RunInfo], wanted: str | None = None) -> RunInfo:
    """Return the run with this id, name or beginning of an id.

    By default the first of `runs` that is over data: those of one input are named. Where there is
    none, the first attribution graph. Raises NotFoundError if there is none, UsageError if several
    fit, or if all are traces and no name is given.

    >>> def run(id, name):
    ...     return RunInfo(id, name, "m", "lib", None, "complete", 1, 1, "2026", "2026", 2)
    >>> runs = [run("0123456789ab", "seed 0"), run("01ffffffffff", "seed 1")]
    >>> choose_run(runs).name, choose_run(runs, "012").name, choose_run(runs, "seed 1").id
    ('seed 0', 'seed 0', '01ffffffffff')
    """
    if wanted is None:
        over_data = [run for run in runs if run.base is None and run.prompt is None]
        graphs = [run for run in runs if run.prompt is not None]
        if over_data or graphs:
            return (over_data or graphs)[0]
        if runs:
            raise UsageError(
                "All runs here are of one input, and no such run is meant unless it is named. Name "
                f"one, such as {runs[0].id} ({runs[0].name})."
            )
        raise NotFoundError("run", "newest", [], "Load one with 'lib-graph ingest RUN'.")
    for fits in (
        [run for run in runs if run.id == wanted],
        [run for run in runs if run.name == wanted],
        [run for run in runs if wanted and run.id.startswith(wanted)],
    ):
        if len(fits) == 1:
            return fits[0]
        if fits:
            candidates = ", ".join(f"{run.id} ({run.name})" for run in fits)
            raise UsageError(f"{wanted!r} can be any of the runs {candidates}. Give a whole id.")
    known = [name for run in runs for name in (run.id, run.name)]
    raise NotFoundError("run", wanted, known, "List them with 'lib-graph runs'.")


def run_meant(runs: Sequence[RunInfo], wanted: str | None) -> RunInfo:
    """Return the run that a person means by a name, an id or its beginning (`choose_run`).

    Raises UsageError if they name a run folder, and what `choose_run` does.
    """
    try:
        return choose_run(runs, wanted)
    except NotFoundError as error:
        if not wanted or not (Path(wanted) / "manifest.json").is_file():
            raise
        raise UsageError(
            f"{wanted!r} is a run folder. In a store a run goes by its name or id, which "
            f"'lib-graph ingest {shlex.quote(wanted)}' says as it loads it."
        ) from error


def _kept_rows(kept: KeptRuns, unfinished: bool) -> list[dict[str, Any]]:
    names = RunInfo.__annotations__
    rows = [
        {**run, "schema_version": run["schema_version"] or 1}
        for run in kept.runs
        if unfinished or run["status"] == "complete"
    ]
    return [{name: run.get(name) for name in names} for run in rows]


def _text(unfinished: bool) -> str:
    return read_text("all_runs" if unfinished else "runs")
