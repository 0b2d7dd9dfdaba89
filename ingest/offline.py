"""Runs as files for the import that a Neo4j server brings, which needs the server stopped.

It is several times as fast as a load, and gives the same graph: the pieces are those of a load. It
replaces all that the database holds, so that every run that is to be there goes into one import.
What it leaves out (constraints, indexes, what was found of a run since) `load` adds afterwards,
which also checks every number.
"""

from __future__ import annotations

import errno
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Literal, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ingest.contents import Contents
from ingest.pieces import pieces
from ingest.schema import (
    CONSTANT,
    FEATURE,
    FEEDS,
    HAS_FEATURE,
    HAS_LAYER,
    INTERACTS,
    LAYER,
    NODE,
    RUN,
    NodeTable,
    RelationshipTable,
)
from ingest.store.closing import Closing
from lib_graph.errors import ConflictError, UsageError
from lib_graph.run import Run
from lib_graph.support.progress import SILENT, Progress
from lib_graph.support.texts import counted

__all__ = ["ImportFormat", "ImportReport", "write_import"]

ImportFormat = Literal["csv", "parquet"]
ARGUMENTS = "import.args"
TYPES: dict[str, tuple[str, pa.DataType]] = {
    **dict.fromkeys(
        ("schema_version", "layer_index", "index", "width", "features", "interactions"),
        (":long", pa.int64()),
    ),
    **dict.fromkeys(("depth", "position", "number"), (":long", pa.int64())),
    **dict.fromkeys(
        (
            "importance", "variance", "cost_from_inputs", "cost_to_outputs", "strength_total",
            "strength_stored", "strength", "stderr", "effect", "share", "cost",
            "activation", "influence", "probability",
        ),
        (":double", pa.float64()),
    ),
}  # fmt: skip
"""property → how the importer is told its type, and the type of its column; all others are texts"""
NODES = (RUN, LAYER, FEATURE, NODE)
RELATIONSHIPS = (HAS_LAYER, FEEDS, HAS_FEATURE, INTERACTS, CONSTANT)
LEAST_BUFFER = 4 << 20  # bytes that the importer takes for a field unless told


@dataclass(frozen=True)
class ImportReport:
    """What was written, and how a server takes it in."""

    folder: Path
    runs: tuple[str, ...]
    interactions: int

    def __str__(self) -> str:
        runs = counted(len(self.runs), "run")
        interactions = counted(self.interactions, "interaction")
        return f"Wrote {runs}, {interactions}, for neo4j-admin: {self.folder}."

    @property
    def command(self) -> str:
        """What to run where the server is, while it is stopped."""
        place = shlex.quote(str(self.folder.resolve()))
        return f"cd {place} && neo4j-admin database import full neo4j @{ARGUMENTS}"


def write_import(
    runs: Sequence[Run | str | Path],
    folder: str | Path,
    *,
    format: ImportFormat,
    progress: Progress = SILENT,
) -> ImportReport:
    """Write run folders as one import into `folder`, which is made, and return how to run it.

    Every table of nodes and relationships is a file, and `import.args` has the arguments of the
    importer. Parquet is a third of the size, but the importer loses empty labels of it, which
    `load` brings back. Raises UsageError without a run, or where `folder` is the one we are in;
    ConflictError if it is not empty or two of the runs are one, and RunError for a damaged run.
    """
    opened = [run if isinstance(run, Run) else Run.open(run) for run in runs]
    ids = [run.id for run in opened]
    if not ids:
        raise UsageError("There is no run to write. Name at least one run folder.")
    if twice := {run for run in ids if ids.count(run) > 1}:
        raise ConflictError(f"Run {', '.join(sorted(twice))} is named twice. Name it once.")
    with _new_folder(Path(folder)) as part, ExitStack() as files:
        tables = _Tables(part, format, files)
        counts = [_write_run(Contents.of(run), tables, progress) for run in opened]
        lines = _arguments(tables)
        (part / ARGUMENTS).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return ImportReport(Path(folder), tuple(ids), sum(counts))


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder of our own beside `folder`, which it becomes if the block succeeds."""
    place = folder.resolve()
    if place.exists() and not (place.is_dir() and not any(place.iterdir())):
        raise _not_empty(folder)
    if place == Path.cwd():
        raise UsageError(
            f"{str(folder)!r} is the folder that you are in, and would be replaced. Name another "
            "--out."
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as ours:
        part = Path(ours) / "files"  # whose mode is as usual, unlike that of `ours`
        part.mkdir()
        yield part
        try:
            part.replace(place)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            raise _not_empty(folder) from None  # another was written there meanwhile


def _not_empty(folder: Path) -> ConflictError:
    return ConflictError(f"{str(folder)!r} is there and not empty. Name another --out.")


def _write_run(contents: Contents, tables: _Tables, progress: Progress) -> int:
    """Write what a load would write, and return the number of interactions."""
    run = contents.run.id
    loaded = datetime.now(timezone.utc).isoformat(timespec="microseconds")
    node = {
        **contents.run_properties(), "id": run, "status": "complete", "loaded": loaded,
        "strength_stored": contents.strength_total,
    }  # fmt: skip
    tables.write(RUN, pd.DataFrame([node]))
    with progress.stage(f"writing {run}", contents.interactions) as advance:
        for piece in pieces(contents, run):
            for nodes, frame in piece.nodes:
                tables.write(nodes, frame)
            for relationships, frame in piece.relationships:
                tables.write(relationships, frame)
            advance(piece.interactions)
    return contents.interactions


class _Tables:
    """The files of an import, one for each kind of node and relationship.

    A file whose table has no rows is there too. `longest` is the size of the longest text of all,
    `of_several_lines` are the tables with texts that have a line break in them.
    """

    def __init__(self, folder: Path, format: ImportFormat, files: ExitStack) -> None:
        self.format = format
        self.longest = 0
        self.of_several_lines: set[NodeTable | RelationshipTable] = set()
        self._writers = {
            table: files.enter_context(_writer(folder / self.name(table), _schema(table), format))
            for table in (*NODES, *RELATIONSHIPS)
        }

    def name(self, table: NodeTable | RelationshipTable) -> str:
        """Return the name of a table's file."""
        prompt = "OfPrompt" if table is NODE else ""  # Feature nodes too, with more properties
        return f"{_name(table)}{prompt}.{self.format}"

    def write(self, table: NodeTable | RelationshipTable, frame: pd.DataFrame) -> None:
        """Add rows to the file of a table. NaN and None are null."""
        schema = _schema(table)
        names = [*_keys(table), *table.properties]
        arrays = [
            pa.array(frame[name], type=field.type, from_pandas=True)
            for name, field in zip(names, schema, strict=True)
        ]
        texts = [array for array in arrays if pa.types.is_string(array.type)]
        sizes = (pc.max(pc.binary_length(array)).as_py() for array in texts)
        self.longest = max(self.longest, *(size or 0 for size in sizes))
        if any(_has(array, end) for array in texts for end in "\n\r"):
            self.of_several_lines.add(table)
        self._writers[table].write_table(pa.Table.from_arrays(arrays, schema=schema))


def _has(texts: pa.Array, part: str) -> bool:
    return bool(pc.any(pc.match_substring(texts, part)).as_py())


def _name(table: NodeTable | RelationshipTable) -> str:
    return table.label if isinstance(table, NodeTable) else table.type


def _keys(table: NodeTable | RelationshipTable) -> tuple[str, ...]:
    """Return the columns of a frame that are no properties of a relationship: its two ends."""
    return ("source", "target") if isinstance(table, RelationshipTable) else ()


def _schema(table: NodeTable | RelationshipTable) -> pa.Schema:
    """Return the columns of a table's file, named as the importer wants them."""
    if isinstance(table, RelationshipTable):
        ends = [f":START_ID({table.source.label})", f":END_ID({table.target.label})"]
    else:
        ends = []
    fields = [pa.field(name, pa.string()) for name in ends]
    for name in table.properties:
        if name == "id":
            fields.append(pa.field(f"id:ID({_name(table)})", pa.string()))
        else:
            mark, type = TYPES.get(name, ("", pa.string()))
            fields.append(pa.field(f"{name}{mark}", type))
    return pa.schema(fields)


class _Writer(Protocol):
    def write_table(self, table: pa.Table) -> None: ...


@contextmanager
def _writer(path: Path, schema: pa.Schema, format: ImportFormat) -> Iterator[_Writer]:
    if format == "parquet":
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            yield writer
    else:
        with path.open("wb") as file, _CsvWriter(file, schema) as csv:
            yield csv


class _CsvWriter(Closing):
    """CSV in which null is nothing, an empty text "", and every other text is quoted too."""

    def __init__(self, file: IO[bytes], schema: pa.Schema) -> None:
        file.write(f"{','.join(schema.names)}\n".encode())
        options = pa_csv.WriteOptions(include_header=False, quoting_style="needed")
        self._writer = pa_csv.CSVWriter(file, schema, write_options=options)

    def write_table(self, table: pa.Table) -> None:
        self._writer.write_table(table)

    def close(self) -> None:
        self._writer.close()


def _arguments(tables: _Tables) -> list[str]:
    """Return what the importer is told, a line for each argument; the files are beside it."""
    nodes = [f"--nodes={_name(table)}={tables.name(table)}" for table in NODES]
    ends = [f"--relationships={_name(table)}={tables.name(table)}" for table in RELATIONSHIPS]
    several = [tables.name(each) for each in (*NODES, *RELATIONSHIPS)
               if each in tables.of_several_lines]  # fmt: skip
    of_csv = [
        "--multiline-fields-format=v2",  # all other files are read by several threads at once
        f"--multiline-fields={','.join(several)}",  # a manifest has them, and a label may
        f"--read-buffer-size={max(LEAST_BUFFER, 4 * tables.longest)}",
    ]
    return [
        *(of_csv if tables.format == "csv" else ["--input-type=parquet"]),
        "--overwrite-destination=true", "--id-type=string", "--bad-tolerance=0", *nodes, *ends,
    ]  # fmt: skip
