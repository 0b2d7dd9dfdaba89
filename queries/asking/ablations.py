"""What ablations of a run found, as the store has it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from lib_graph.run.ablations import ABLATION
from lib_graph.support.showing import Display, Displayed
from queries.asking.places import StoredLayer
from queries.asking.reader import Reader
from queries.asking.statements import Statement, read_text

__all__ = ["Ablations", "find_ablations"]


@dataclass(frozen=True, eq=False, repr=False)
class Ablations(Displayed):
    """The rows of a run's ablation.parquet (columns of ABLATION), by layer.

    Those of another run are of the same network in another basis. `metric` is what scores are, but
    for those of circuits that lead to some answers: each row names its own.
    """

    run: str
    metric: str
    frame: pd.DataFrame
    statements: tuple[Statement, ...] = ()

    def of_kind(self, kind: str) -> pd.DataFrame:
        """Return the rows of one kind, those of the run itself first."""
        rows = self.frame[self.frame["kind"] == kind]
        return rows.iloc[(rows["run"] != self.run).to_numpy().argsort(kind="stable")]

    def _display(self) -> Display:
        from queries.notebook.answers import rows_display

        return rows_display(f"ablations of run {self.run}, {self.metric}", self.frame, self.run)


def find_ablations(reader: Reader, layers: Sequence[StoredLayer]) -> Ablations | None:
    """Return what ablations of the reader's run found, None where nothing was ablated."""
    (row,) = reader.rows(read_text("run_ablations"))
    if row["ablations"] is None:
        return None
    found = json.loads(row["ablations"])
    frame = pd.DataFrame(found["rows"], columns=ABLATION.names)
    scores = dict.fromkeys(("score", "baseline", "random_score", "delta"), "float64")
    frame = frame.astype({"edges": "Int64", "nodes": "Int64", **scores})
    frame["metric"] = frame["metric"].fillna(found["metric"])
    order = {layer.name: layer.index for layer in layers}
    frame = frame.sort_values("layer", key=lambda names: names.map(order), kind="stable")
    return Ablations(reader.run, found["metric"], frame, reader.statements)
