"""matches-RUN-OTHER.parquet, in the folders of both runs: features of one like those of the other.

run, layer, index    a feature of the first run, on whose data the two are compared
other, other_index   a feature of the other run, in its layer of the same name
correlation          Pearson's r of their values
rank                 1, 2, … from the other run's feature that is most like this one, by |r|
other_rank           1, 2, … from this run's feature that is most like that one

The pairs are those that are among the first few of one of the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from lib_graph.run.folder import Run
from lib_graph.run.kept import Origin, checked_origin, read_rows
from lib_graph.run.writing import write_rows

__all__ = [
    "MATCHES",
    "Matches",
    "all_matches",
    "matches_path",
    "matches_summary",
    "write_matches",
]

MATCHES = pa.schema(
    [
        ("run", pa.string()),
        ("layer", pa.string()),
        ("index", pa.int32()),
        ("other", pa.string()),
        ("other_index", pa.int32()),
        ("correlation", pa.float64()),
        ("rank", pa.int32()),
        ("other_rank", pa.int32()),
    ]
)
GOOD = 0.9  # |r|
SUMMARY = ("layer", "run", "features", "median", "above_09", "mutual")


@dataclass(frozen=True)
class Matches:
    """The matches of two runs (columns of MATCHES), and the SHA-256 of the bases of each."""

    run: str
    other: str
    bases: dict[str, str]
    frame: pd.DataFrame

    def beside(self, run: str) -> str:
        """Return the one of the two runs that is not `run`."""
        return self.other if run == self.run else self.run


def matches_path(folder: Path, run: str, other: str) -> Path:
    """Return where the matches of two runs are, in the folder of one of them."""
    return folder / f"matches-{run}-{other}.parquet"


def write_matches(path: Path, frame: pd.DataFrame, origin: Origin) -> None:
    """Write matches with what they were made from: run, other, bases (by run), count."""
    write_rows(path, MATCHES, [frame], origin)


def all_matches(run: Run) -> Iterator[Matches]:
    """Yield the matches in the folder of a run, with every other run there are any with.

    Raises RunError if some are damaged, or of another build of the run.
    """
    for path in sorted(run.path.glob("matches-*.parquet")):
        origin = checked_origin(run, path)
        frame = read_rows(run, path, MATCHES)
        yield Matches(origin["run"], origin["other"], origin["bases"], frame)


def matches_summary(frame: pd.DataFrame) -> pd.DataFrame:
    """Return how well features match, a row per layer and run: SUMMARY.

    The number of features that vary, the median of the |r| of each with the one of the other run
    that is most like it, the share of them above 0.9, and how many pairs are most like each other.
    """
    found = []
    for layer, rows in frame.groupby("layer", sort=False):
        mutual = int(((rows["rank"] == 1) & (rows["other_rank"] == 1)).sum())
        for run, rank in (("run", "rank"), ("other", "other_rank")):
            best = rows[rows[rank] == 1]
            size = best["correlation"].abs()
            good = float((size > GOOD).mean())
            found.append((layer, rows[run].iloc[0], len(best), float(size.median()), good, mutual))
    return pd.DataFrame(found, columns=list(SUMMARY))
