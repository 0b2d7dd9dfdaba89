"""How degenerate a network is: ranks, units that fire together, free parameters, gauges.

The definitions are in docs/method.md, Degeneracy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from lib_graph.analysis.degeneracy.firing import Firing
from lib_graph.analysis.degeneracy.gauges import gauges_of
from lib_graph.analysis.degeneracy.measured import FreeMap, Measured
from lib_graph.analysis.degeneracy.spaces import Space
from lib_graph.analysis.reopening import Reopened, passes_of, refuse_stand_ins, reopened_network
from lib_graph.errors import UsageError
from lib_graph.method.moments import Moments
from lib_graph.networks import Subject
from lib_graph.run import Run
from lib_graph.run.kept import graph_of
from lib_graph.support import defaults
from lib_graph.support.progress import USUAL, Progress
from lib_graph.support.tables import Record, records_of

__all__ = ["TABLES", "Degeneracy", "degeneracy_of", "effective_rank"]

TABLES = ("layers", "units", "maps", "gauges")


@dataclass(frozen=True, eq=False, repr=False)
class Degeneracy:
    """Four tables: of the layers, of their ReLU units, of the linear maps, and of the gauges."""

    layers: pd.DataFrame
    units: pd.DataFrame
    maps: pd.DataFrame
    gauges: pd.DataFrame

    def json_value(self) -> dict[str, list[Record]]:
        """Return all tables by name."""
        return {name: records_of(getattr(self, name)) for name in TABLES}

    def __repr__(self) -> str:
        rows = (f"{name} {len(getattr(self, name)):,}" for name in TABLES)
        return f"<Degeneracy, rows: {', '.join(rows)}>"


def degeneracy_of(
    run: Run,
    subject: Subject | None = None,
    *,
    share: float = defaults.NEARLY,
    memory: int = defaults.MEMORY,
    device: str = defaults.DEVICE,
    progress: Progress = USUAL,
) -> Degeneracy:
    """Return how degenerate the network of a run is on the run's data.

    `subject` is the network where the run cannot find it again. Units count as synchronised that
    fire on the same inputs, and, apart, those that differ on up to `share` of them. `memory` is the
    bytes that this may take; where it was cut off, it goes on.

    Raises what `lib_graph.analysis.reopening.reopened_network` does, UsageError for a share that is
    none, too little memory, or where transcoders stand in.
    """
    if not 0 <= share < 1:
        raise UsageError(f"share is {share}; it is a share of the inputs, 0 to 1.")
    found = reopened_network(run, subject, device=device, progress=progress)
    cutoffs = run.manifest.cutoffs
    refuse_stand_ins(found, "degeneracy")
    passes = passes_of(run, "degeneracy", graph_of(run), progress)
    measured = Measured.of(found, passes, memory)
    moments, read = measured.moments(), measured.read_spaces(cutoffs["tau_lib"])
    tables = Degeneracy(
        _layer_frame(run, found, moments, read),
        _unit_frame(measured.firing(), share),
        pd.DataFrame(map(_map_row, measured.free_maps(read, cutoffs)), columns=[*_MAP_COLUMNS]),
        pd.DataFrame(gauges_of(found.network.sections), columns=["layer", "name", "directions"]),
    )
    passes.close()
    return tables


def effective_rank(spectrum: Float[Tensor, " n"]) -> float:
    """Return exp(entropy) of a spectrum that is made to sum to 1.

    >>> effective_rank(torch.tensor([2.0, 2.0, 0.0]))
    2.0
    """
    p = spectrum[spectrum > 0].double()
    p = p / p.sum()
    return float(torch.exp(-(p * p.log()).sum()))


def _layer_frame(
    run: Run, found: Reopened, moments: Sequence[Moments], read: Mapping[str, Space]
) -> pd.DataFrame:
    rows = []
    for layer, moment in zip(found.network.layers, moments, strict=True):
        values = torch.linalg.eigvalsh(moment.covariance)
        kept = values[values > run.manifest.cutoffs["tau_pca"] * values[-1]]
        importance = found.bases[layer.name].importance
        lib = importance if run.manifest.basis == "lib" else None
        rows.append(
            {
                "layer": layer.name,
                "width": layer.width,
                "pca_rank": len(kept),
                "pca_effective_rank": effective_rank(kept) if len(kept) else 0.0,
                "lib_rank": None if lib is None else len(lib),
                "lib_effective_rank": None if lib is None else effective_rank(lib),
                "read_rank": read[layer.name].rank,
            }
        )
    return pd.DataFrame(rows).astype({"lib_rank": "Int64", "lib_effective_rank": "float64"})


def _unit_frame(firing: Mapping[str, list[Firing]], share: float) -> pd.DataFrame:
    """Return a row per ReLU and share of inputs on which units may differ."""
    columns = ("layer", "relu", "units", "silent", "share", "groups", "synchronised", "members")
    rows = []
    for layer, relus in firing.items():
        for number, counts in enumerate(relus):
            for differing in dict.fromkeys((0.0, share)):
                groups = counts.synchronised(differing)
                size = sum(map(len, groups))
                silent = len(counts.silent)
                found = (layer, number, len(counts.both), silent, differing, len(groups), size)
                rows.append((*found, groups))
    return pd.DataFrame(rows, columns=[*columns])


_MAP_COLUMNS = (
    "layer",
    "map",
    "inputs",
    "input_rank",
    "results",
    "read_rank",
    "parameters",
    "free",
)


def _map_row(each: FreeMap) -> tuple[str, str, int, int, int, int, int, int]:
    ins, outs = each.inputs, each.results
    name = each.map.name
    return each.layer, name, ins.width, ins.rank, outs.width, outs.rank, each.parameters, each.free
