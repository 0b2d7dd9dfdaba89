"""The files of a run folder, written: whole or not at all, with what they were made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lib_graph.errors import RunError
from lib_graph.run.folder import Run
from lib_graph.run.schema import DATA_FILES, FEATURES, INTERACTIONS, SCHEMA_VERSION, Manifest
from lib_graph.support.files import file_sha256, whole_file, write_json

__all__ = ["made_from", "write_features", "write_interactions", "write_manifest"]


def write_manifest(path: Path, fields: dict[str, Any]) -> Run:
    """Write manifest.json, which makes the folder a complete run, and return that run.

    `fields` is all of Manifest but `schema_version` and `files`, which are filled in here.
    """
    files = {name: file_sha256(path / name) for name in DATA_FILES}
    manifest = Manifest(schema_version=SCHEMA_VERSION, files=files, **fields)
    write_json(path / "manifest.json", manifest.model_dump(mode="json"))
    return Run(path, manifest)


def write_features(path: Path, frame: pd.DataFrame, made_from: Mapping[str, Any]) -> None:
    """Write features.parquet, with what it was made from in its metadata."""
    with whole_file(path) as temporary:
        pq.write_table(_table(frame, FEATURES, made_from), temporary)


def write_interactions(
    path: Path, sections: Iterator[pd.DataFrame], made_from: Mapping[str, Any]
) -> None:
    """Write interactions.parquet, a row group per section, rows by source and target.

    A strength that is exactly 0 gets no row; a negative or non-finite one is a RunError.
    """
    schema = _with_origin(INTERACTIONS, made_from)
    with whole_file(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for section in sections:
            if not (np.isfinite(section.strength).all() and (section.strength >= 0).all()):
                raise RunError("An interaction strength is negative or not finite.")
            rows = section[section.strength > 0].sort_values(["source", "target"])
            if len(rows):
                writer.write_table(_table(rows, INTERACTIONS, made_from), row_group_size=len(rows))


def made_from(path: Path) -> dict[str, Any] | None:
    """Return what a parquet file of a run was made from, or None where there is no such file."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return None
    text = metadata.get(b"lib_graph.made_from")
    return None if text is None else json.loads(text)


def _with_origin(schema: pa.Schema, made_from: Mapping[str, Any]) -> pa.Schema:
    return schema.with_metadata({"lib_graph.made_from": json.dumps(made_from, sort_keys=True)})


def _table(frame: pd.DataFrame, schema: pa.Schema, made_from: Mapping[str, Any]) -> pa.Table:
    table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    return table.replace_schema_metadata(_with_origin(schema, made_from).metadata)
