"""How good modules are, over resolutions: modularity, stability, labels, and what chance gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

import numpy as np
import pandas as pd

from lib_graph.errors import UsageError
from lib_graph.support.showing import Display, Displayed
from lib_graph.support.tables import Record, records_of
from queries.asking.places import StoredLayer
from queries.asking.reader import Reader
from queries.asking.statements import Statement
from queries.modules.chance import chance_of, shuffled_graphs
from queries.modules.communities import check_settings
from queries.modules.graph import ModuleGraph, Weights, read_module_graph
from queries.modules.modularity import METHODS, Method, modularity, number_by_size
from queries.modules.partitions import adjusted_rand_index, purity
from queries.modules.weighted import Ints

__all__ = ["COLUMNS", "ModuleTable", "agreement_with_labels", "module_table"]

COLUMNS = (
    "resolution", "modularity", "modularity_at_1", "null_mean", "null_sd", "stability", "modules",
    "sizes", "spans", "labelled", "purity", "label_ari",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class ModuleTable(Displayed):
    """A row per resolution, with the columns COLUMNS.

    modularity, modularity_at_1: Q at the resolution and at 1, of what `seed` finds.
    null_mean, null_sd: mean and standard deviation of the Q found in `null` shuffled graphs, null
        if fewer than one or two were asked for (`queries.modules.null_model`).
    stability: the median of the adjusted Rand index between what `seeds` seeds find, null for one.
    modules, sizes, spans: modules of more than one feature: how many, their numbers of features and
        of layers, the largest first.
    labelled, purity, label_ari: of the features with a label that are important enough: how many,
        the share that has the most frequent label of its module, and the adjusted Rand index
        between modules and labels; null where there are fewer than two labels.
    """

    run: str
    method: Method
    weights: Weights
    seed: int
    seeds: int
    null: int
    frame: pd.DataFrame
    statements: tuple[Statement, ...] = ()

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows."""
        return self.frame.copy()

    def json_value(self) -> Record:
        """Return how the modules were found, and the rows."""
        keys = ("run", "method", "weights", "seed", "seeds", "null")
        return {
            **{key: getattr(self, key) for key in keys},
            "resolutions": records_of(self.frame),
        }

    def _display(self) -> Display:
        from queries.notebook.answers import module_table_display

        return module_table_display(self)


def module_table(
    reader: Reader,
    layers: Sequence[StoredLayer],
    *,
    method: Method,
    weights: Weights,
    resolutions: Sequence[float],
    seed: int,
    seeds: int,
    null: int,
    min_importance: float,
) -> ModuleTable:
    """Return how good the modules at each resolution are. The same arguments give the same.

    Raises UsageError for what cannot be used.
    """
    if not resolutions:
        raise UsageError("There is no resolution. Give one or more.")
    for resolution in resolutions:
        check_settings(method, resolution, seed, null)
    if seeds < 1:
        raise UsageError(f"{seeds} seeds cannot be compared. Take at least 1.")
    graph = read_module_graph(reader, layers, weights)
    graphs = shuffled_graphs(graph, seed, null)
    rows = [
        {
            "resolution": float(resolution),
            **_found(graph, method, resolution, range(seed, seed + seeds), min_importance),
            "null_mean": chance.mean,
            "null_sd": chance.sd,
        }
        for resolution in resolutions
        for chance in [chance_of(graphs, method, resolution, seed)]
    ]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return ModuleTable(reader.run, method, weights, seed, seeds, null, frame, reader.statements)


def _found(
    graph: ModuleGraph, method: Method, resolution: float, seeds: range, min_importance: float
) -> Record:
    found = [
        number_by_size(METHODS[method](graph.edges, resolution=resolution, seed=seed))
        for seed in seeds
    ]
    agreement = [adjusted_rand_index(*pair) for pair in combinations(found, 2)]
    community = found[0]
    sizes = np.bincount(community, minlength=1)
    span = graph.features["layer_index"].groupby(community).nunique().tolist()
    several = int((sizes > 1).sum())
    return {
        "modularity": modularity(graph.edges, community, resolution),
        "modularity_at_1": modularity(graph.edges, community),
        "stability": median(agreement) if agreement else None,
        "modules": several,
        "sizes": sizes[:several].tolist(),
        "spans": span[:several],
        **agreement_with_labels(graph.features, community, min_importance),
    }


def agreement_with_labels(features: pd.DataFrame, community: Ints, min_importance: float) -> Record:
    """Return how modules fit labels: labelled, purity and label_ari of a ModuleTable."""
    largest = features["importance"].groupby(features["layer_index"]).transform("max")
    important = ~(features["importance"] < min_importance * largest)
    kept = ((features["label"] != "") & important).to_numpy()
    if not kept.any():
        return {"labelled": 0, "purity": None, "label_ari": None}
    label = pd.factorize(features["label"][kept])[0].astype(np.int64)
    if label.max() == 0:  # one label: whatever the modules are, they keep to it
        return {"labelled": int(kept.sum()), "purity": None, "label_ari": None}
    return {
        "labelled": int(kept.sum()),
        "purity": purity(community[kept], label),
        "label_ari": adjusted_rand_index(community[kept], label),
    }
