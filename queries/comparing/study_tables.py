"""What the runs of a study say, as tables: values with their errors, and what bases differ by."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from lib_graph.support.tables import Record, records_of

__all__ = [
    "Answers",
    "Study",
    "contrast_rows",
    "level_rows",
    "module_rows",
    "required_rows",
]

DIFFERENCES = ("gini", "hoyer")  # measures between 0 and 1: their ratios say little
INTERVAL = (2.5, 97.5)  # percentiles of the draws

Answers = dict[str, pd.DataFrame]
"""By basis."""


@dataclass(frozen=True, eq=False)
class Study:
    """The answers, a row per network, basis and quantity.

    sparsity: means over sections, exact and as one probe a sequence has them.
    contrasts: the same against PCA: a ratio, the geometric mean over sections, or a difference.
    required: edges required of each section, and of all sections at once (kind all), with what a
        random mask of the size scores.
    modules: modularity beside that of graphs without modules, and its stability over seeds.
    predicted: how well words predict features, means over features and layers.

    `low` and `high` are the 2.5 and 97.5 % percentiles over draws of sequences.
    """

    sparsity: pd.DataFrame
    contrasts: pd.DataFrame
    required: pd.DataFrame
    modules: pd.DataFrame
    predicted: pd.DataFrame

    def to_pandas(self) -> pd.DataFrame:
        """Return how bases differ from PCA."""
        return self.contrasts.copy()

    def json_value(self) -> Record:
        """Return all tables."""
        return {field.name: records_of(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def of_json(cls, value: Record) -> Study:
        """Return the study that `json_value` gave."""
        return cls(**{field.name: pd.DataFrame(value[field.name]) for field in fields(cls)})


def level_rows(network: str, answers: Answers) -> pd.DataFrame:
    """Return the mean over layers of each measure, with its interval over draws."""
    rows = []
    for basis, frame in answers.items():
        for key, draws in _by_measure(frame):
            rows.append({"network": network, "basis": basis, **key, **_interval(draws.mean(1))})
    return pd.DataFrame(rows)


def contrast_rows(network: str, answers: Answers, base: str) -> pd.DataFrame:
    """Return what each basis differs by from `base`, the same draws taken of both.

    Counts: exp of the mean over layers of ln(value / value of the base); indices: the mean of
    value − value of the base.
    """
    rows = []
    beside = {tuple(key.values()): draws for key, draws in _by_measure(answers[base])}
    for basis, frame in answers.items():
        for key, draws in _by_measure(frame):
            other = beside[tuple(key.values())]
            if basis == base or draws.shape[0] < 2:
                continue
            if key["measure"] in DIFFERENCES:
                how, values = "difference", (draws - other).mean(1)
            else:
                how, values = "ratio", np.exp(np.log(draws / other).mean(1))
            rows.append({"network": network, "basis": basis, **key, "as": how, **_interval(values)})
    return pd.DataFrame(rows)


def _by_measure(frame: pd.DataFrame) -> list[tuple[dict[str, str], Any]]:
    """Return, for each measure and way of measuring, its values: draws × layers, draw 0 first."""
    if "measure" not in frame:
        frame = frame.melt(["layer", "draw"], var_name="measure").assign(how="exact")
    found = []
    for (measure, how), rows in frame.groupby(["measure", "how"], sort=False):
        table = rows.pivot(index="draw", columns="layer", values="value").sort_index()
        found.append(({"measure": str(measure), "how": str(how)}, table.to_numpy()))
    return found


def _interval(draws: Any) -> dict[str, float | None]:
    """Return the value of draw 0, and the percentiles of the other draws, if there are any."""
    value, others = float(draws[0]), draws[1:][np.isfinite(draws[1:])]
    low, high = np.percentile(others, INTERVAL) if len(others) else (None, None)
    return {"value": value, "low": low, "high": high}


def required_rows(network: str, answers: Answers) -> pd.DataFrame:
    """Return edges required, with the share of all pairs that they are."""
    frames = [
        frame.assign(network=network, basis=basis, share=frame["edges"] / frame["pairs"])
        for basis, frame in answers.items()
    ]
    columns = ["network", "basis", "kind", "layer", "edges", "pairs", "share", "score",
               "random_score", "baseline"]  # fmt: skip
    return pd.concat(frames, ignore_index=True)[columns]


def module_rows(network: str, answers: Answers) -> pd.DataFrame:
    """Return modularity beside that of graphs without modules."""
    columns = ["weights", "modularity", "null_mean", "null_sd", "stability", "modules"]
    frames = [
        frame[columns].assign(network=network, basis=basis) for basis, frame in answers.items()
    ]
    return pd.concat(frames, ignore_index=True)[["network", "basis", *columns]]
