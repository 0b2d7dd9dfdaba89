"""Our numbers for modular addition beside the published ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

import ingest
from lib_graph.analysis.ablation import read_ablation
from lib_graph.analysis.published import (
    EDGES_REQUIRED,
    FIRST,
    MODULARITY,
    PURITY,
    REPOSITORY,
    SEEDS,
)
from lib_graph.analysis.reproducing import SHIPPED, Case, cases, reproduced_run
from lib_graph.run import Run
from lib_graph.support.progress import USUAL, Progress
from lib_graph.support.tables import Record, records_of
from queries.graph import open_graph

__all__ = ["COLUMNS", "Reproduction", "reproduce"]

COLUMNS = (
    "quantity", "basis", "layer", "published", "recomputed", "ours", *SEEDS, SHIPPED,
)  # fmt: skip
STORE = "lib-graph.kgl"


class Quantity(NamedTuple):
    """What is compared; `layer` is None for a whole graph."""

    name: str
    basis: str
    layer: str | None


@dataclass(frozen=True, eq=False)
class Reproduction:
    """A row per quantity, basis and layer (null: of the whole graph), with the columns COLUMNS.

    edges required: interactions out of the layer that keep the accuracy within 0.001.
    modularity: Q at resolution 1, weights log10 of strength over the least that is required.
    purity: how much of a feature one frequency explains, the mean of the first eight of the layer.

    `published` and `ours` are means over seeds 0 to 2, ours in the bases that we find, `recomputed`
    in the published ones; the networks' columns have our number for each. What was not run is null.
    """

    frame: pd.DataFrame

    @property
    def networks(self) -> list[str]:
        """The columns of numbers in which something was run, and what was published."""
        return [name for name in COLUMNS[len(Quantity._fields) :] if self.frame[name].notna().any()]

    @property
    def notes(self) -> str:
        """What the rows and the columns are, for below a table."""
        lines = [
            "edges required: interactions out of the layer that keep the accuracy within 0.001.",
            "modularity: of modules with weights log10 of strength over the least required.",
            f"purity: how much of a feature one frequency explains, mean of the first {FIRST}.",
            f"published: means of seeds 0 to 2, from the graphs of {REPOSITORY} (MIT).",
        ]
        if "ours" in self.networks:
            again = "; recomputed: in the published bases" * ("recomputed" in self.networks)
            lines.append(f"ours: means of the same seeds, whose own numbers follow{again}.")
        lines.append(
            "The published modularity takes one interaction fewer in some sections: the number "
            "that bisection tried last."
        )
        return "\n".join(lines)

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows."""
        return self.frame.copy()

    def json_value(self) -> list[Record]:
        """Return the rows."""
        return records_of(self.frame)


def reproduce(
    out: Path,
    networks: Path | None = None,
    *,
    replace: bool = False,
    progress: Progress = USUAL,
) -> Reproduction:
    """Return our numbers beside the published ones, from runs and a store in the folder `out`.

    What is there already is not made again. Without a folder of `networks` (`cases`) only the
    shipped model is run. Raises what building, ablating and loading do: ConflictError where there
    are other runs and `replace` is false.
    """
    wanted = cases(networks)
    out.mkdir(parents=True, exist_ok=True)
    found: dict[Case, dict[Quantity, float]] = {}
    for case in wanted:
        run = reproduced_run(case, out, replace=replace, progress=progress)
        ingest.load(run, out / STORE, replace=replace, progress=progress)
        found[case] = dict(_measured(run, case.basis, out / STORE))
    rows = [_row(quantity, value, found) for quantity, value in _published()]
    return Reproduction(pd.DataFrame(rows, columns=COLUMNS))


def _published() -> Iterator[tuple[Quantity, float]]:
    """Yield what was published, means over the seeds."""
    for basis, of_layers in EDGES_REQUIRED.items():
        for layer, edges in of_layers.items():
            yield Quantity("edges required", basis, layer), sum(edges) / len(edges)
    for basis, modularity in MODULARITY.items():
        yield Quantity("modularity", basis, None), modularity
    for basis, purities in PURITY.items():
        for layer, purity in purities.items():
            yield Quantity("purity", basis, layer), purity


def _measured(run: Run, basis: str, store: Path) -> Iterator[tuple[Quantity, float]]:
    """Yield the same quantities of a run."""
    rows = read_ablation(run)
    required = rows[(rows["kind"] == "edges_required") & (rows["run"] == run.id)]
    for layer, edges in zip(required["layer"], required["edges"], strict=True):
        yield Quantity("edges required", basis, layer), float(edges)
    with open_graph(store, run.id) as graph:
        modules = graph.communities(weights="log")
    yield Quantity("modularity", basis, None), modules.modularity_at_1
    first = run.features[run.features["index"].between(1, FIRST)]
    for layer, score in first.groupby("layer")["label_score"]:
        yield Quantity("purity", basis, str(layer)), float(score.fillna(0.0).mean())


def _row(
    quantity: Quantity, published: float, found: Mapping[Case, Mapping[Quantity, float]]
) -> Record:
    values = {(case.network, case.reference is None): each.get(quantity)
              for case, each in found.items() if case.basis == quantity.basis}  # fmt: skip
    own = {network: values.get((network, True)) for network in (*SEEDS, SHIPPED)}
    return {
        "quantity": quantity.name,
        "basis": quantity.basis,
        "layer": quantity.layer,
        "published": published,
        "recomputed": _mean([values.get((seed, False)) for seed in SEEDS]),
        "ours": _mean([own[seed] for seed in SEEDS]),
        **own,
    }


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of numbers of which none is missing."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None
