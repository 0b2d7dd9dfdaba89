"""Ablations into the run folder, beside those that are there already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lib_graph.analysis.ablation.bench import Bench
from lib_graph.run.ablations import ABLATION, KEPT, MASKS, TABLE
from lib_graph.run.kept import up_to_date
from lib_graph.run.writing import write_rows
from lib_graph.support.files import locked

__all__ = ["check_ablation", "write_ablation", "write_masks"]


def check_ablation(bench: Bench, *, masks: bool = False, replace: bool = False) -> None:
    """Raise, before anything is scored, what `write_ablation` would, with `masks` `write_masks`.

    Raises ConflictError if what is there comes from other data or another metric, and `replace` is
    false.
    """
    for name in (TABLE, KEPT) if masks else (TABLE,):
        up_to_date([bench.run.path / name], bench.origin, replace=replace)


def write_ablation(bench: Bench, rows: pd.DataFrame, *, replace: bool = False) -> None:
    """Add rows to a run's ablation.parquet, in place of those of the same kind, layer and run.

    Raises ConflictError if what is there comes from other data or another metric, and `replace` is
    false, or if another process writes to the folder.
    """
    keys = ["run", "kind", "layer"]
    if (rows["kind"] == "circuit").all():
        keys += ["edges", "nodes", "metric"]
    _merge(bench, TABLE, ABLATION, rows, keys, replace=replace)
    bench.close()


def write_masks(bench: Bench, rows: pd.DataFrame, *, replace: bool = False) -> None:
    """Add the interactions kept to a run's masks.parquet, in place of those of the same sections.

    Raises what `write_ablation` does.
    """
    _merge(bench, KEPT, MASKS, rows, ["run", "source_layer"], replace=replace)


def _merge(
    bench: Bench,
    name: str,
    schema: pa.Schema,
    rows: pd.DataFrame,
    keys: Sequence[str],
    *,
    replace: bool,
) -> None:
    path, origin = bench.run.path / name, bench.origin
    with locked(bench.run.path):
        if up_to_date([path], origin, replace=replace):
            old = pq.read_table(path, schema=schema).to_pandas()
            new = set(_keys(rows, keys))
            kept = old[[key not in new for key in _keys(old, keys)]]
            rows = pd.concat([kept, rows], ignore_index=True) if len(kept) else rows
        write_rows(path, schema, [rows], origin)


def _keys(rows: pd.DataFrame, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    found = rows[list(columns)].astype(object)
    return list(found.where(found.notna(), None).itertuples(index=False, name=None))
