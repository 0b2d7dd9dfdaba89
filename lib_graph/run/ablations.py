"""What ablations leave in a run folder (`lib_graph.analysis.ablation` makes it).

    RUN/ablation.parquet   node curves, edge curves, edges required, circuits
    RUN/masks.parquet      the interactions that are kept at the number required, section by section

`edges` leaves out those of the constant feature, which are always kept; `nodes` counts it.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from lib_graph.run.folder import Run
from lib_graph.run.kept import checked_origin, read_rows

__all__ = [
    "ABLATION",
    "KEPT",
    "MASKS",
    "TABLE",
    "ablation_metric",
    "read_ablation",
    "smallest_kept",
]

ABLATION = pa.schema(
    [
        ("run", pa.string()),
        (
            "kind",
            pa.string(),
        ),  # node_curve | edge_curve | nodes_required | edges_required | circuit
        ("layer", pa.string()),  # of a section: its source; of a circuit, or of all at once: null
        ("basis", pa.string()),
        ("edges", pa.int64()),
        ("nodes", pa.int64()),
        ("score", pa.float64()),
        ("baseline", pa.float64()),
        ("random_score", pa.float64()),
        ("delta", pa.float64()),  # of edges required: by how much the score may be worse
        ("metric", pa.string()),  # what the three scores are
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


def read_ablation(run: Run) -> pd.DataFrame:
    """Return a run's ablation.parquet (columns of ABLATION).

    Raises RunError if there is none, if it is damaged, or if it is of another graph.
    """
    rows = read_rows(run, run.path / TABLE, ABLATION)
    return rows.fillna({"metric": ablation_metric(run)})  # folders of before rows had their own


def ablation_metric(run: Run) -> str:
    """Return what the scores in a run's ablation.parquet are. Raises what `read_ablation` does."""
    return str(checked_origin(run, run.path / TABLE)["metric"])


def smallest_kept(run: Run) -> dict[str, float]:
    """Return ε_l of each section l that was ablated: the smallest strength at the number required.

    By the name of the source layer; empty if no edges were ablated. Raises RunError if what was
    found is damaged or of another graph.
    """
    if not (run.path / KEPT).is_file():
        return {}
    kept = read_rows(run, run.path / KEPT, MASKS)
    own = kept[kept["run"] == run.id]
    least = own.groupby("source_layer", sort=False)["strength"].min()
    return {str(layer): float(strength) for layer, strength in least.items()}
