"""What one run uses that another run over the same features does not.

A row: source, target (ids in the first run), strength, other_strength, ratio (of the two, null
where the other has none), share, other_share, source_label, target_label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lib_graph.errors import NotFoundError, UsageError
from queries.asking.reader import Reader
from queries.asking.runs import RunInfo, choose_run, list_runs
from queries.asking.statements import read_text
from queries.asking.tables import Table

if TYPE_CHECKING:
    from ingest.store import GraphStore

__all__ = ["find_other", "unusual_interactions"]


def find_other(store: GraphStore, run: RunInfo, against: str | None) -> RunInfo:
    """Return the run to hold `run` against, by default the one whose features it has.

    Raises NotFoundError if it is not in the store, UsageError if there is none or if its features
    are others.
    """
    runs = list_runs(store)
    if against is None and run.prompt is not None:
        raise UsageError(
            f"Run {run.id} ({run.name}) is the attribution graph of one prompt, which has no "
            "average to be held against. Give --run a run of one input ('lib-graph trace')."
        )
    if against is None and run.base is None:
        traces = [f"{each.id} ({each.name})" for each in runs if each.base == run.id]
        such = f"such as {traces[0]}" if traces else "which 'lib-graph trace' makes"
        raise UsageError(
            f"Run {run.id} ({run.name}) is an average over data. Give --run a run of one input, "
            f"{such}, or --against another run."
        )
    if against is None and run.base not in [each.id for each in runs]:
        raise NotFoundError(
            "run", str(run.base), [each.id for each in runs],
            f"Run {run.id} has its features: load it with 'lib-graph ingest'.",
        )  # fmt: skip
    other = choose_run(runs, against or run.base)
    if other.id == run.id or (other.base or other.id) != (run.base or run.id):
        raise UsageError(
            f"Runs {run.id} ({run.name}) and {other.id} ({other.name}) are not two runs over the "
            "same features. Take a run and its traces."
        )
    return other


def unusual_interactions(
    reader: Reader, other: RunInfo, *, min_share: float, min_importance: float, limit: int
) -> Table:
    """Return the interactions of the reader's run that are stronger there by the largest factor.

    Raises UsageError for a share or importance that is none, or a limit below 1.
    """
    for name, value in (("share", min_share), ("importance", min_importance)):
        if not 0 <= value <= 1:
            raise UsageError(f"The least {name} is {value}. Give a number from 0 to 1.")
    if limit < 1:
        raise UsageError(f"The limit is {limit}. Ask for at least 1 interaction.")
    frame = reader.frame(
        read_text("unusual_interactions"),
        other=other.id,
        min_share=float(min_share),
        min_importance=float(min_importance),
        limit=limit,
    )
    return Table(frame, reader.statements)
