"""What the runs of a study say, as tables: values with their errors, and what bases differ by."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from lib_graph.support.tables import Record, records_of
from queries.comparing.agreement import AGREEMENT
from queries.comparing.intervals import basic_interval, ratio_interval

__all__ = [
    "Answers",
    "Study",
    "agreement_table",
    "contrast_rows",
    "level_rows",
    "module_rows",
    "required_rows",
    "seed_rows",
    "spliced_rows",
]

DIFFERENCES = ("gini", "hoyer", "auc")  # measures between 0 and 1: their ratios say little

Answers = dict[str, pd.DataFrame]
"""By basis."""


@dataclass(frozen=True, eq=False)
class Study:
    """The answers, a row per network, basis and quantity.

    scores: the cross-entropy over all of the text, with its standard error over rows; the number of
        sections, of features of each layer and of samples that strengths are of, and what was not
        asked (`left_out`) of a network too large for it.
    sparsity: means over sections, exact and as one probe a sequence has them.
    contrasts: the same against PCA, and of how well words predict: a ratio, the geometric mean over
        sections or layers, or a difference, the mean; `least` and `most` are those of one of them.
    rebuilt: each dictionary beside the bases at equal reconstruction (`queries.comparing.rebuilt`).
    spliced: what the network scores where a dictionary rebuilds one of its layers (mean over them,
        and the worst), and all of them, beside its score.
    required: edges required at each δ, of each section, and of all sections at once (kind all),
        with what a random mask of the size scores.
    modules: modularity beside that of so many graphs without modules (`null`), and its stability
        over seeds.
    agreement: how well modules follow heads and positions, beside parts dealt out anew
        (`queries.comparing.agreement`).
    predicted: how well words predict features, means over features and layers.
    seeds: of what follows from a seed, mean and deviation over seeds.

    `low` and `high` are the basic bootstrap interval over draws of sequences (docs/method.md §18).
    """

    scores: pd.DataFrame
    sparsity: pd.DataFrame
    contrasts: pd.DataFrame
    rebuilt: pd.DataFrame
    spliced: pd.DataFrame
    required: pd.DataFrame
    modules: pd.DataFrame
    agreement: pd.DataFrame
    predicted: pd.DataFrame
    seeds: pd.DataFrame

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
            rows.append(
                {"network": network, "basis": basis, **key, **basic_interval(draws.mean(1))}
            )
    return pd.DataFrame(rows)


def contrast_rows(network: str, answers: Answers, base: str) -> pd.DataFrame:
    """Return what each basis differs by from `base`, the same draws taken of both.

    Counts: exp of the mean over layers of ln(value / value of the base); indices: the mean of
    value − value of the base. `least` and `most` are what the layers have on their own.
    """
    rows = []
    beside = {tuple(key.values()): draws for key, draws in _by_measure(answers[base])}
    for basis, frame in answers.items():
        for key, draws in _by_measure(frame):
            other = beside[tuple(key.values())]
            if basis == base or draws.shape[0] < 2:
                continue
            if key["measure"] in DIFFERENCES:
                how, layers = "difference", draws - other
                found = basic_interval(layers.mean(1))
            else:
                how, layers = "ratio", draws / other
                found = ratio_interval(np.log(layers).mean(1))
            ends = {"least": float(layers[0].min()), "most": float(layers[0].max())}
            rows.append({"network": network, "basis": basis, **key, "as": how, **found, **ends})
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


def spliced_rows(network: str, baseline: float, answers: Answers) -> pd.DataFrame:
    """Return what the network scores on what each dictionary rebuilds."""
    rows = []
    for name, frame in answers.items():
        together = frame["layer"] == ""
        alone, (every,) = frame[~together]["score"], frame[together]["score"]
        rows.append((network, name, baseline, alone.mean(), alone.max(), every))
    return pd.DataFrame(rows, columns=["network", "dictionary", "baseline", "one", "worst", "all"])


def required_rows(network: str, answers: Answers) -> pd.DataFrame:
    """Return edges required, with the share of all pairs that they are."""
    columns = ["network", "basis", "delta", "kind", "layer", "edges", "pairs", "share", "score",
               "random_score", "baseline"]  # fmt: skip
    found = _together(network, answers, [name for name in columns if name != "share"])
    return found.assign(share=found["edges"] / found["pairs"])[columns]


def module_rows(network: str, answers: Answers) -> pd.DataFrame:
    """Return modularity beside that of graphs without modules."""
    columns = ["weights", "modularity", "null_mean", "null_sd", "null", "stability", "modules"]
    return _together(network, answers, ["network", "basis", *columns])


def agreement_table(network: str, answers: Answers) -> pd.DataFrame:
    """Return how well modules follow heads and positions, by basis and weights."""
    return _together(network, answers, ["network", "basis", "weights", *AGREEMENT])


def _together(network: str, answers: Answers, columns: list[str]) -> pd.DataFrame:
    """Return these columns of the rows of all bases; no rows where nothing was asked."""
    if not answers:
        return pd.DataFrame(columns=columns)
    frames = [frame.assign(network=network, basis=basis) for basis, frame in answers.items()]
    return pd.concat(frames, ignore_index=True)[columns]


def seed_rows(
    contrasts: pd.DataFrame, required: pd.DataFrame, modules: pd.DataFrame
) -> pd.DataFrame:
    """Return mean, deviation and number of the values that a basis has over its seeds.

    Of what differs from PCA (exact); of the share of all pairs that are required at once, at each
    δ; of Q less that of graphs without modules. Bases with one seed have no row.
    """
    exact = contrasts[contrasts["how"] == "exact"]
    every = required[required["kind"] == "all"]
    found = pd.concat(
        [
            exact[["network", "basis", "measure", "value"]],
            every.assign(measure="required " + every["delta"].map("{:g}".format),
                         value=every["share"]),
            modules.assign(measure="Q " + modules["weights"],
                           value=modules["modularity"] - modules["null_mean"]),
        ],
        join="inner",
    )  # fmt: skip
    kind = found["basis"].str.split().str[0]
    rows = found.assign(basis=kind, value=found["value"].astype(float))[kind != found["basis"]]
    grouped = rows.groupby(["network", "basis", "measure"], sort=False)["value"]
    table = grouped.agg(mean="mean", deviation="std", seeds="count").reset_index()
    return table[table["seeds"] > 1].reset_index(drop=True)
