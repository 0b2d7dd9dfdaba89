"""What ablations leave in a run folder.

    RUN/ablation.parquet   node curves, edge curves, edges required, circuits
    RUN/masks.parquet      the interactions that are kept at the number required, section by section

`edges` leaves out those of the constant feature, which are always kept; `nodes` counts it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lib_graph.ablation.bench import Bench
from lib_graph.errors import ConflictError, RunError
from lib_graph.files import whole_file
from lib_graph.origin import tensors_sha256
from lib_graph.run import Run, made_from

__all__ = ["ABLATION", "MASKS", "read_ablation", "smallest_kept", "write_ablation", "write_masks"]

ABLATION = pa.schema(
    [
        ("run", pa.string()),
        ("kind", pa.string()),  # node_curve | edge_curve | edges_required | circuit
        ("layer", pa.string()),  # of a section: its source; of a circuit: null
        ("basis", pa.string()),
        ("edges", pa.int64()),
        ("nodes", pa.int64()),
        ("score", pa.float64()),
        ("baseline", pa.float64()),
        ("random_score", pa.float64()),
    ]
)
MASKS = pa.schema(
    [
        ("run", pa.string()),
        ("source_layer", pa.string()),
        ("source", pa.int32()),
        ("target_layer", pa.string()),
        ("target", pa.int32()),
        ("strength", pa.float64()),
    ]
)
TABLE, KEPT = "ablation.parquet", "masks.parquet"


def write_ablation(bench: Bench, rows: pd.DataFrame, *, replace: bool = False) -> None:
    """Add rows to a run's ablation.parquet, in place of those of the same kind, layer and run.

    Raises ConflictError if what is there comes from other data or another metric, and `replace` is
    false.
    """
    keys = ["run", "kind", "layer"]
    if (rows["kind"] == "circuit").all():
        keys += ["edges", "nodes"]
    _merge(bench, TABLE, ABLATION, rows, keys, replace=replace)


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
    path, origin = bench.run.path / name, _origin(bench)
    if path.exists() and not replace:
        found = made_from(path)
        if found != origin:
            fields = sorted(key for key in origin if (found or {}).get(key) != origin[key])
            raise ConflictError(
                f"{str(path)!r} differs in {', '.join(fields)} from this ablation. Write it anew "
                "with --replace."
            )
        old = pq.read_table(path, schema=schema).to_pandas()
        new = set(_keys(rows, keys))
        kept = old[[key not in new for key in _keys(old, keys)]]
        rows = pd.concat([kept, rows], ignore_index=True) if len(kept) else rows
    table = pa.Table.from_pandas(rows[schema.names], schema=schema, preserve_index=False)
    metadata = {"lib_graph.made_from": json.dumps(origin, sort_keys=True)}
    with whole_file(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary)


def _keys(rows: pd.DataFrame, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    found = rows[list(columns)].astype(object)
    return list(found.where(found.notna(), None).itertuples(index=False, name=None))


def _origin(bench: Bench) -> dict[str, Any]:
    """Return all that scores follow from."""
    evaluation = bench.evaluation
    tensors = {"targets": evaluation.targets, "counted": evaluation.counted}
    tensors |= {str(i): x for i, x in enumerate(evaluation.inputs)}
    data = tensors_sha256((name, x) for name, x in tensors.items() if x is not None)
    return _graph(bench.run) | {"data": data, "metric": bench.metric.name}


def _graph(run: Run) -> dict[str, str]:
    files = run.manifest.files
    return {
        "run": run.id,
        "bases": files["bases.safetensors"],
        "interactions": files["interactions.parquet"],
    }


def read_ablation(run: Run) -> pd.DataFrame:
    """Return a run's ablation.parquet (columns of ABLATION).

    Raises RunError if there is none, if it is damaged, or if it is of another graph.
    """
    return _read(run, TABLE, ABLATION)


def _read(run: Run, name: str, schema: pa.Schema) -> pd.DataFrame:
    path: Path = run.path / name
    if not path.is_file():
        raise RunError(
            f"{str(run.path)!r} has no {name}. 'lib-graph ablate {run.path} edges' makes one."
        )
    origin: Mapping[str, Any] = made_from(path) or {}
    if any(origin.get(key) != value for key, value in _graph(run).items()):
        raise RunError(
            f"{str(path)!r} is damaged, or of another graph than that of run {run.id}. Ablate "
            "again with --replace."
        )
    frame = pq.read_table(path, schema=schema).to_pandas()
    assert isinstance(frame, pd.DataFrame)
    return frame


def smallest_kept(run: Run) -> dict[str, float]:
    """Return ε_l of each section l that was ablated: the smallest strength at the number required.

    By the name of the source layer. The weight of an interaction between features can then be
    max(0, log10(E / ε_l)). Raises what `read_ablation` does; empty if no edges were ablated.
    """
    kept = (
        _read(run, KEPT, MASKS)
        if (run.path / KEPT).is_file()
        else pd.DataFrame(columns=MASKS.names)
    )
    own = kept[kept["run"] == run.id]
    least = own.groupby("source_layer", sort=False)["strength"].min()
    return {str(layer): float(strength) for layer, strength in least.items()}
