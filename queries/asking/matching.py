"""Which features of two runs are one and the same, or most like each other."""

from __future__ import annotations

from lib_graph.errors import UsageError
from queries.asking.reader import Reader
from queries.asking.runs import RunInfo
from queries.asking.statements import read_text
from queries.asking.tables import Table

__all__ = ["matched_features"]


def matched_features(reader: Reader, run: RunInfo, other: RunInfo) -> Table:
    """Return pairs of features of two runs: source, target, correlation, data.

    Two runs over the same features (a run and its traces) have the same ones, correlation 1. Of
    others these are the pairs that are each the other's best match, on the data of the run `data`:
    none where 'lib-graph match' has not compared them.

    Raises UsageError if both are one run.
    """
    if run.id == other.id:
        raise UsageError(f"Run {run.id} cannot be matched with itself. Name another.")
    if (run.base or run.id) != (other.base or other.id):
        return Table(reader.frame(read_text("matched_features"), other=other.id), reader.statements)
    ids = reader.frame(read_text("features"), layer=None)["id"]
    same = ids.str.replace(f"{run.id}/", f"{other.id}/", n=1, regex=False)
    frame = ids.to_frame("source").assign(target=same, correlation=1.0, data=run.id)
    return Table(frame, reader.statements)
