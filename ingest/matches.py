"""Features of two runs that are alike, brought into the store when both runs are there.

The folders of both runs hold their matches, so that whichever is loaded later brings them. Matches
with a run that is not there, or with another build of it than the one that is, are left for then.
They go when one of the runs is deleted.
"""

from __future__ import annotations

import json
from functools import partial

import pandas as pd

from ingest.pieces import PIECE_ROWS
from ingest.schema import MATCHES
from ingest.store.protocol import GraphStore, Transaction
from lib_graph.run import Run
from lib_graph.run.matches import Matches, all_matches

__all__ = ["note_matches"]

MANIFEST = "MATCH (r:Run {id: $run, status: 'complete'}) RETURN r.manifest AS manifest"
STORED = """
MATCH (f:Feature {run: $run})-[m:MATCHES]->(g:Feature {run: $other})
RETURN f.id AS source, g.id AS target, m.correlation AS correlation, m.rank AS rank,
       m.other_rank AS other_rank
"""
FORGET = """
MATCH (:Feature {run: $run})-[m:MATCHES]->(:Feature {run: $other})
WITH m LIMIT $limit
DELETE m
RETURN count(*) AS deleted
"""


def note_matches(graph: GraphStore, run: Run) -> bool:
    """Bring the matches of a run into the store, and return whether some were not there yet.

    Raises RunError if the folder holds matches of another build of the run.
    """
    noted = [_note(graph, each) for each in all_matches(run) if _is_there(graph, each, run)]
    return any(noted)


def _is_there(graph: GraphStore, matches: Matches, run: Run) -> bool:
    """Return whether the store has the other run, with the features that were matched."""
    other = matches.beside(run.id)
    rows = graph.execute(MANIFEST, {"run": other})
    if not rows:
        return False
    found = json.loads(rows[0]["manifest"])["files"]["bases.safetensors"]
    return bool(found == matches.bases[other])


def _note(graph: GraphStore, matches: Matches) -> bool:
    """Make the matches in the store those of the folder, and return whether they were others."""
    ends = {"run": matches.run, "other": matches.other}
    wanted, found = _rows(matches.frame), graph.frame(STORED, ends)
    if len(wanted) == len(found) and _keyed(wanted) == _keyed(found):
        return False
    while len(found) and graph.transact(partial(_forget, ends=ends)):
        pass
    for start in range(0, len(wanted), PIECE_ROWS):
        graph.transact(partial(_add, rows=wanted[start : start + PIECE_ROWS]))
    return True


def _rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return matches as relationships."""
    source = frame["run"] + "/" + frame["layer"] + "/" + frame["index"].astype(str)
    target = frame["other"] + "/" + frame["layer"] + "/" + frame["other_index"].astype(str)
    return frame[list(MATCHES.properties)].assign(source=source, target=target)


def _keyed(rows: pd.DataFrame) -> dict[tuple[str, str], tuple[float, ...]]:
    keys = zip(rows["source"], rows["target"], strict=True)
    values = rows[list(MATCHES.properties)].itertuples(index=False, name=None)
    return dict(zip(keys, values, strict=True))


def _forget(transaction: Transaction, *, ends: dict[str, str]) -> int:
    limit = {"limit": PIECE_ROWS}
    return int(transaction.execute(FORGET, {**ends, **limit})[0]["deleted"])


def _add(transaction: Transaction, *, rows: pd.DataFrame) -> None:
    transaction.add_relationships(MATCHES, rows)
