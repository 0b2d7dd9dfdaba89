"""RUN/histograms.parquet: how often each feature takes which values, over all positions that count.

run, layer, index   the feature
start, width        where the first bin begins, and how wide each is
below, above        how many values are less than `start`, and how many beyond the last bin
counts              how many are in each of BINS bins; a value on an edge is in the bin above it
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from lib_graph.run.folder import Run
from lib_graph.run.kept import Origin, read_rows
from lib_graph.run.writing import write_rows

__all__ = [
    "BINS",
    "HISTOGRAMS",
    "NAME",
    "Histogram",
    "read_histogram",
    "read_histograms",
    "write_histograms",
]

NAME = "histograms.parquet"
BINS = 41
HISTOGRAMS = pa.schema(
    [
        ("run", pa.string()),
        ("layer", pa.string()),
        ("index", pa.int32()),
        ("start", pa.float64()),
        ("width", pa.float64()),
        ("below", pa.int64()),
        ("above", pa.int64()),
        ("counts", pa.list_(pa.int64())),
    ]
)


@dataclass(frozen=True)
class Histogram:
    """How many values of a feature are in each bin, and beyond all of them.

    >>> found = Histogram(-1.0, 0.5, 0, 2, (1, 5, 3))
    >>> found.end, found.beyond, found.total, found.most
    (0.5, 2, 11, -0.25)
    """

    start: float
    width: float
    below: int
    above: int
    counts: tuple[int, ...]

    @property
    def end(self) -> float:
        """Where the last bin ends."""
        return self.start + self.width * len(self.counts)

    @property
    def beyond(self) -> int:
        """How many values are in no bin."""
        return self.below + self.above

    @property
    def total(self) -> int:
        """How many values were counted."""
        return self.beyond + sum(self.counts)

    @property
    def most(self) -> float:
        """The middle of the bin that has the most values; of several, of the lowest."""
        return self.start + self.width * (self.counts.index(max(self.counts)) + 0.5)

    def json_value(self) -> dict[str, Any]:
        """Return what JSON shows."""
        return {**asdict(self), "beyond": self.beyond}


def write_histograms(path: Path, frames: Iterable[pd.DataFrame], origin: Origin) -> None:
    """Write histograms.parquet, a row group per layer, with what it was made from."""
    write_rows(path, HISTOGRAMS, frames, origin)


def read_histogram(run: Run, layer: str, index: int) -> Histogram | None:
    """Return the histogram of a feature of a run; None if it has none, as a constant feature.

    There is none either where none were made. Raises RunError if they are damaged, or of other
    features.
    """
    if not (run.path / NAME).exists():
        return None
    wanted = [("layer", "==", layer), ("index", "==", index)]
    found = read_rows(run, run.path / NAME, HISTOGRAMS, wanted)
    return None if found.empty else _of(found.iloc[0])


def read_histograms(run: Run) -> dict[tuple[str, int], Histogram]:
    """Return the histograms of all features of a run that have one, by layer and index.

    Raises what `read_histogram` does.
    """
    if not (run.path / NAME).exists():
        return {}
    found = read_rows(run, run.path / NAME, HISTOGRAMS)
    return {(row["layer"], int(row["index"])): _of(row) for _, row in found.iterrows()}


def _of(row: pd.Series[Any]) -> Histogram:
    return Histogram(
        float(row["start"]),
        float(row["width"]),
        int(row["below"]),
        int(row["above"]),
        tuple(map(int, row["counts"])),
    )
