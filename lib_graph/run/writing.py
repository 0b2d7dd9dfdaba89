"""The files of a run folder, written: whole or not at all, with what they were made from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lib_graph.errors import RunError
from lib_graph.run.folder import FEW, Run
from lib_graph.run.kept import Origin, kept_as
from lib_graph.run.prompt import NODE_COLUMNS
from lib_graph.run.schema import FEATURES, INTERACTIONS, SCHEMA_VERSION, Manifest
from lib_graph.support.files import file_sha256, whole_file, write_json

__all__ = ["write_features", "write_interactions", "write_manifest", "write_rows"]


def write_manifest(path: Path, fields: dict[str, Any]) -> Run:
    """Write manifest.json, which makes the folder a complete run, and return that run.

    `fields` is all of Manifest but `schema_version` and `files`, which are filled in here.
    """
    manifest = Manifest(schema_version=SCHEMA_VERSION, files={}, **fields)
    files = {name: file_sha256(path / name) for name in manifest.data_files}
    manifest = manifest.model_copy(update={"files": files})
    write_json(path / "manifest.json", manifest.model_dump(mode="json"))
    return Run(path, manifest)


def write_rows(
    path: Path,
    schema: pa.Schema,
    frames: Iterable[pd.DataFrame],
    origin: Origin,
    *,
    page: int | None = None,
) -> None:
    """Write a table of a run folder, a row group per frame, with what it was made from.

    `page` is the most bytes of distinct values that are written once for a row group. Raises
    LookupError for a name that `lib_graph.run.kept` does not know.
    """
    kept_as(path)
    schema = schema.with_metadata({"lib_graph.made_from": json.dumps(origin, sort_keys=True)})
    with (
        whole_file(path) as temporary,
        pq.ParquetWriter(temporary, schema, dictionary_pagesize_limit=page) as writer,
    ):
        for frame in frames:
            table = pa.Table.from_pandas(
                frame[schema.names], schema, preserve_index=False,
                nthreads=None if len(frame) > FEW else 1,
            )  # fmt: skip
            table = table.replace_schema_metadata(schema.metadata)
            writer.write_table(table, row_group_size=len(frame) or None)


def write_features(path: Path, frame: pd.DataFrame, origin: Origin) -> None:
    """Write features.parquet; where the features are nodes of a prompt's graph, as such."""
    nodes = NODE_COLUMNS if "node" in frame else ()
    write_rows(path, pa.schema([*FEATURES, *nodes]), [frame], origin)


def write_interactions(path: Path, sections: Iterator[pd.DataFrame], origin: Origin) -> None:
    """Write interactions.parquet, rows by source and target.

    A strength that is exactly 0 gets no row; a negative or non-finite one is a RunError.
    """
    write_rows(path, INTERACTIONS, _positive(sections), origin)


def _positive(sections: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for section in sections:
        if not (np.isfinite(section.strength).all() and (section.strength >= 0).all()):
            raise RunError("An interaction strength is negative or not finite.")
        rows = section[section.strength > 0].sort_values(["source", "target"])
        if len(rows):
            yield rows
