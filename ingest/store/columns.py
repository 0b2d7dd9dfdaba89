"""The runs of an embedded store as columns: what questions about a whole run are answered from.

Beside the file `graph.kgl` lies the folder `graph.kgl.columns`: `index.json` names the runs, and
for each its features and its interactions as Parquet, a row group a section. The graph is the
truth; the folder follows from it, is written after it by the same writer, and says of which state
of the file it is (inode, size, time of change). Where it is of another state, or not there, nothing
is lost: the same questions are then asked of the graph in Cypher.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ingest.store.protocol import Row
from ingest.store.shares import positive

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = [
    "FORMAT",
    "INDEX",
    "SAID",
    "Columns",
    "KeptRuns",
    "NoColumns",
    "SomeInteractions",
    "Stamp",
    "read_kept",
    "stamp",
]

FORMAT = 1
INDEX = "index.json"
SAID = b"lib-graph: said"
STORED = ("strength", "stderr", "effect", "share")
Stamp = list[int]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def stamp(file: Path) -> Stamp:
    """Return what tells one state of a file from another: inode, size, time of change."""
    stat = file.stat()
    return [stat.st_ino, stat.st_size, stat.st_mtime_ns]


@dataclass(frozen=True, eq=False)
class SomeInteractions:
    """Interactions out of one layer: rows of `Columns.features`, and numbers by column."""

    source: Ints
    target: Ints
    values: Mapping[str, Floats]

    def __getitem__(self, name: str) -> Floats:
        return self.values[name]

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: Ints | Bools) -> SomeInteractions:
        """Return some of the rows."""
        values = {name: column[rows] for name, column in self.values.items()}
        return SomeInteractions(self.source[rows], self.target[rows], values)

    def with_values(self, **values: Floats) -> SomeInteractions:
        """Return the same interactions with more columns."""
        return SomeInteractions(self.source, self.target, {**self.values, **values})


@dataclass(frozen=True, eq=False)
class Columns:
    """One complete run. `layers` are the rows of its Layer nodes, the first layer first."""

    run: str
    layers: tuple[Row, ...]
    _features: pa.Table
    _interactions: pq.ParquetFile
    _reading: threading.Lock = field(default_factory=threading.Lock)  # pyarrow's may not be shared

    @cached_property
    def features(self) -> pd.DataFrame:
        """The properties of the Feature nodes, by layer and index."""
        frame: pd.DataFrame = self._features.to_pandas()
        return frame

    @cached_property
    def said(self) -> Mapping[str, Any] | None:
        """What nodes say beside columns: 'manifest' and 'ablations' of the Run, and 'smallest_kept'
        of those layers that have it, as [index, value].

        None where an older lib-graph has kept the run.
        """
        kept = (self._features.schema.metadata or {}).get(SAID)
        return None if kept is None else json.loads(kept)

    @cached_property
    def ids(self) -> pa.ChunkedArray:
        """The id of each row of `features`, for Arrow to take from."""
        return self._features["id"]

    @cached_property
    def labels(self) -> pa.ChunkedArray:
        """The label of each row of `features`."""
        return self._features["label"]

    @cached_property
    def layer(self) -> Ints:
        """The number of each feature's layer."""
        layer: Ints = self._features["layer_index"].to_numpy()
        return layer

    @cached_property
    def constant(self) -> Bools:
        """Whether each feature is the constant one of its layer."""
        constant: Bools = self.features["role"].to_numpy() == "constant"
        return constant

    @cached_property
    def rank(self) -> Ints:
        """The place of each feature when all are sorted by id."""
        ids = np.array(self.ids.to_pylist(), dtype=object)
        rank = np.empty(len(ids), dtype=np.int64)
        rank[np.argsort(ids, kind="stable")] = np.arange(len(ids))
        return rank

    def of_rows(self, rows: Sequence[int] | Ints, *names: str) -> pa.Table:
        """Return some properties of some features."""
        table: pa.Table = self._features.select(names).take(np.array(rows, dtype=np.int64))
        return table

    def rows(self, layer: int) -> Ints:
        """Return the row of `features` at each index of a layer, -1 where there is none."""
        return self._rows.get(layer, np.zeros(0, np.int64))

    def section(self, layer: int, *names: str) -> SomeInteractions:
        """Return the interactions out of a layer with some columns; only these are read.

        Of 'strength', 'stderr', 'effect', 'share' and 'cost'; NaN where there is no value.
        """
        if self.skips:
            return self._out_of(layer, names)
        read = ["share" if name == "cost" else name for name in names]
        with self._reading:
            table = self._interactions.read_row_groups(
                self._groups.get(layer, []), columns=["source", "target", *dict.fromkeys(read)],
                use_threads=False,
            )  # fmt: skip
        column = {name: table[name].to_numpy() for name in table.column_names}
        if "share" in column:
            column["share"] = positive(column["share"])
        values = {
            name: 0.0 - np.log(column["share"]) if name == "cost" else column[name]
            for name in names
        }
        source, target = (
            self.rows(end)[column[name]] for name, end in (("source", layer), ("target", layer + 1))
        )
        return SomeInteractions(source, target, values)

    def into(self, layer: int, *names: str) -> SomeInteractions:
        """Return the interactions into a layer, as `section` does those out of one."""
        if not self.skips:
            return self.section(layer - 1, *names)
        part = self._all.take(self.layer[self._all.target] == layer)
        return SomeInteractions(part.source, part.target, {name: part[name] for name in names})

    @cached_property
    def skips(self) -> bool:
        """Whether interactions may skip layers: the run is a prompt's graph."""
        return "node" in self._features.column_names

    def _out_of(self, layer: int, names: tuple[str, ...]) -> SomeInteractions:
        """Return `section` of a run whose interactions skip layers, all of which are read once."""
        first, end = np.searchsorted(self.layer[self._all.source], [layer, layer + 1])
        part = self._all.take(np.arange(first, end))
        return SomeInteractions(part.source, part.target, {name: part[name] for name in names})

    @cached_property
    def _all(self) -> SomeInteractions:
        """All interactions by layer of the source. An index is that of one feature of the run."""
        with self._reading:
            table = self._interactions.read(
                columns=["source", "target", *STORED], use_threads=False
            )
        column = {name: table[name].to_numpy() for name in table.column_names}
        column["share"] = positive(column["share"])
        index = self._features["index"].to_numpy()
        row = np.zeros(index.max() + 1, np.int64)
        row[index] = np.arange(len(index))
        values = {name: column[name] for name in STORED} | {"cost": 0.0 - np.log(column["share"])}
        return SomeInteractions(row[column["source"]], row[column["target"]], values)

    @cached_property
    def _rows(self) -> dict[int, Ints]:
        index = self._features["index"].to_numpy()
        found = {}
        for layer in np.unique(self.layer):
            here = np.flatnonzero(self.layer == layer)
            found[int(layer)] = np.full(index[here].max() + 1, -1)
            found[int(layer)][index[here]] = here
        return found

    @cached_property
    def _groups(self) -> dict[int, list[int]]:
        numbers = {str(layer["name"]): int(layer["index"]) for layer in self.layers}
        metadata = self._interactions.metadata
        column = self._interactions.schema_arrow.get_field_index("source_layer")
        groups: dict[int, list[int]] = {}
        for group in range(metadata.num_row_groups):
            name = str(metadata.row_group(group).column(column).statistics.min)
            groups.setdefault(numbers[name], []).append(group)
        return groups


@dataclass(frozen=True, eq=False)
class KeptRuns:
    """The columns of all runs of a store in one state. `runs` are the rows of its Run nodes."""

    stamp: Stamp
    runs: tuple[Row, ...]
    folder: Path
    files: Mapping[str, Mapping[str, Any]]
    """Of each complete run: 'layers' (rows), 'features' and 'interactions' (names of files)."""
    numbered: str | None
    """The file of `ingest.store.numbers`, None where there are no attribution graphs."""

    def run(self, run: str) -> Columns | None:
        """Return a run, or None where not all of it is kept."""
        if run not in self._open:
            self._open[run] = self.read(run)
        return self._open[run]

    @cached_property
    def _open(self) -> dict[str, Columns | None]:
        return {}

    def read(self, run: str) -> Columns | None:
        """Return a run as `run` does, whose files are open only as long as it is held."""
        import pyarrow.parquet as pq

        files = self.files.get(run)
        if files is None or files["interactions"] is None:
            return None
        try:
            with pq.ParquetFile(self.folder / files["features"]) as file:
                features = file.read(use_threads=False)
            interactions = pq.ParquetFile(self.folder / files["interactions"], memory_map=True)
        except (OSError, ValueError):  # damaged; or a writer has published another state meanwhile
            return None
        return Columns(run, tuple(files["layers"]), features, interactions)


class NoColumns:
    """What a store is that keeps no columns: every question is asked of it in Cypher."""

    def columns(self) -> None:
        """Return None: there are none."""

    def keep_interactions(self, run: str, file: Path, state: Stamp) -> None:
        """Keep nothing: the graph has them."""


def read_kept(folder: Path) -> KeptRuns | None:
    """Return what a folder of columns holds, or None where there is none that can be read."""
    try:
        found = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        return None
    return KeptRuns(found["stamp"], tuple(found["runs"]), folder, found["files"],
                    found.get("numbered"))  # fmt: skip
