"""The modules of a run of a study: beside chance, and beside heads and positions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pandas as pd
import pyarrow as pa

import ingest
from lib_graph.analysis.measuring.structure import feature_parts
from lib_graph.analysis.reopening import Reopened
from lib_graph.run import Run
from lib_graph.run.ablations import smallest_kept
from lib_graph.run.answers import answered
from lib_graph.run.kept import graph_of
from lib_graph.support import defaults
from lib_graph.support.progress import Progress
from queries.comparing.agreement import SHUFFLES, agreement_rows
from queries.graph import open_graph
from queries.modules.graph import Weights

__all__ = ["STORE", "agreement_beside", "modules_beside"]

STORE = "lib-graph.kgl"
MODULES = pa.schema(
    [
        ("weights", pa.string()),
        ("modularity", pa.float64()),
        ("null_mean", pa.float64()),
        ("null_sd", pa.float64()),
        ("null", pa.int64()),
        ("stability", pa.float64()),
        ("modules", pa.int64()),
    ]
)
AGREEING = pa.schema(
    [
        ("weights", pa.string()),
        ("structure", pa.string()),
        ("features", pa.int64()),
        ("ari", pa.float64()),
        ("shuffled_mean", pa.float64()),
        ("shuffled_sd", pa.float64()),
    ]
)


def modules_beside(
    store: Path, run: Run, partitions: int, null: int, progress: Progress
) -> pd.DataFrame:
    """Return a row for either kind of weights: Q beside that of graphs without modules."""

    def make() -> pd.DataFrame:
        ingest.load(run, store, replace=True, progress=progress)
        rows = []
        with open_graph(store, run.id) as graph:
            for weights in get_args(Weights):
                table = graph.module_table(
                    weights=weights, resolutions=[1.0], seeds=partitions, null=null
                )
                rows.append(table.frame.assign(weights=weights, null=null))
        return pd.concat(rows, ignore_index=True)

    origin = {
        **graph_of(run), "partitions": partitions, "null": null, "smallest_kept": smallest_kept(run)
    }  # fmt: skip
    return answered(run.path / "modules.parquet", MODULES, origin, make)


def agreement_beside(
    store: Path, run: Run, opened: Callable[[], Reopened], progress: Progress
) -> pd.DataFrame:
    """Return a row for either kind of weights and each structure: how well modules follow it.

    The modules are those of `modules_beside`, of the first seed.
    """

    def make() -> pd.DataFrame:
        ingest.load(run, store, replace=True, progress=progress)
        parts, rows = feature_parts(opened()), []
        with open_graph(store, run.id) as graph:
            for weights in get_args(Weights):
                modules = graph.communities(weights=weights).features
                found = agreement_rows(modules, parts, defaults.SEED)
                rows.append(found.assign(weights=weights))
        return pd.concat(rows, ignore_index=True)

    origin = {
        **graph_of(run), "shuffles": SHUFFLES, "seed": defaults.SEED,
        "smallest_kept": smallest_kept(run),
    }  # fmt: skip
    return answered(run.path / "agreement.parquet", AGREEING, origin, make)
