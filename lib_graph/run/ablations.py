"""What ablations leave in a run folder (`lib_graph.analysis.ablation` makes it).

    RUN/ablation.parquet   node curves, edge curves, edges required, circuits
    RUN/masks.parquet      the interactions that are kept at the number required, section by section

`edges` leaves out those of the constant feature, which are always kept; `nodes` counts it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lib_graph.errors import RunError
from lib_graph.run.folder import Run
from lib_graph.run.writing import made_from
from lib_graph.support.files import whole_file

__all__ = [
    "ABLATION",
    "KEPT",
    "MASKS",
    "TABLE",
    "ablation_metric",
    "graph_of",
    "read_ablation",
    "smallest_kept",
    "write_table",
]

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
        ("delta", pa.float64()),  # of edges required: by how much the score may be worse
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


def graph_of(run: Run) -> dict[str, str]:
    """Return what an ablation says of the graph that it is of."""
    files = run.manifest.files
    return {
        "run": run.id,
        "bases": files["bases.safetensors"],
        "interactions": files["interactions.parquet"],
    }


def write_table(
    path: Path, schema: pa.Schema, rows: pd.DataFrame, origin: Mapping[str, Any]
) -> None:
    """Write rows with what they were made from, whole or not at all."""
    table = pa.Table.from_pandas(rows[schema.names], schema=schema, preserve_index=False)
    metadata = {"lib_graph.made_from": json.dumps(origin, sort_keys=True)}
    with whole_file(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary)


def read_ablation(run: Run) -> pd.DataFrame:
    """Return a run's ablation.parquet (columns of ABLATION).

    Raises RunError if there is none, if it is damaged, or if it is of another graph.
    """
    return _read(run, TABLE, ABLATION)


def ablation_metric(run: Run) -> str:
    """Return what the scores in a run's ablation.parquet are. Raises what `read_ablation` does."""
    read_ablation(run)
    return str((made_from(run.path / TABLE) or {})["metric"])


def smallest_kept(run: Run) -> dict[str, float]:
    """Return ε_l of each section l that was ablated: the smallest strength at the number required.

    By the name of the source layer; empty if no edges were ablated. Raises RunError if what was
    found is damaged or of another graph.
    """
    if not (run.path / KEPT).is_file():
        return {}
    kept = _read(run, KEPT, MASKS)
    own = kept[kept["run"] == run.id]
    least = own.groupby("source_layer", sort=False)["strength"].min()
    return {str(layer): float(strength) for layer, strength in least.items()}


def _read(run: Run, name: str, schema: pa.Schema) -> pd.DataFrame:
    path = run.path / name
    if not path.is_file():
        raise RunError(
            f"{str(run.path)!r} has no {name}. 'lib-graph ablate {run.path} edges' makes one."
        )
    origin = made_from(path) or {}
    if any(origin.get(key) != value for key, value in graph_of(run).items()):
        raise RunError(
            f"{str(path)!r} is damaged, or of another graph than that of run {run.id}. Ablate "
            "again with --replace."
        )
    frame = pq.read_table(path, schema=schema).to_pandas()
    assert isinstance(frame, pd.DataFrame)
    return frame
