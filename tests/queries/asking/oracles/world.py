"""What is in the store, from the run folders alone, and how an answer is put in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from lib_graph.run import Run
from lib_graph.run.matches import all_matches

RUN, BASE = "0a0000000001", "0b0000000002"


@dataclass(frozen=True)
class World:
    """What is in the store, from the folders alone: f features, i interactions, m matches."""

    f: pd.DataFrame
    i: pd.DataFrame
    base_f: pd.DataFrame
    base_i: pd.DataFrame
    m: pd.DataFrame

    @property
    def varying(self) -> pd.DataFrame:
        """The interactions whose source is not constant."""
        return self.i[self.i["s_role"] != "constant"]


def tables(run: Run, modules: dict[str, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    f = run.features.assign(label=run.features["label"].fillna(""))
    f["place"] = f["layer"] + "/" + f["index"].astype(str)
    f["feature"] = run.id + "/" + f["place"]
    f["module"] = f["feature"].map(modules)
    f["importance"] = f["importance"].astype(float)
    most = f.groupby("layer")["importance"].transform("max")
    f["important"] = most.isna() | (f["importance"] >= 0.1 * most)
    i = run.interactions
    for end, letter in (("source", "s"), ("target", "t")):
        i[end] = run.id + "/" + i[f"{end}_layer"] + "/" + i[end].astype(str)
        i = i.merge(f.add_prefix(f"{letter}_"), left_on=end, right_on=f"{letter}_feature")
    return f, i.rename(columns={"s_label": "source_label", "t_label": "target_label"})


def from_here(run: Run) -> pd.DataFrame:
    """The matches of the features of a run, on its own data and on those of the other run."""
    sides = []
    for each in all_matches(run):
        frame, ends = each.frame.assign(data=each.run), ("index", "other_index")
        if each.run != run.id:
            ranks = {"rank": "other_rank", "other_rank": "rank"}
            frame, ends = frame.rename(columns=ranks), ends[::-1]
        for name, id, end in zip(
            ("feature", "counterpart"), (run.id, each.beside(run.id)), ends, strict=True
        ):
            frame[name] = id + "/" + frame["layer"] + "/" + frame[end].astype(str)
        sides.append(frame)
    return pd.concat(sides, ignore_index=True)


def top(frame: pd.DataFrame, columns: str, by: str, k: int = 5, names: str = "") -> pd.DataFrame:
    """The first k rows by `by` ('-x' is falling), ties by the columns `names`."""
    keys = [by.lstrip("-"), *names.split()]
    order = [not by.startswith("-"), *[True] * (len(keys) - 1)]
    return frame.sort_values(keys, ascending=order)[columns.split()].head(k)


def important(w: World) -> pd.DataFrame:
    """The interactions that vary into targets with a tenth of their layer's importance."""
    return w.varying[w.varying["t_important"]]


def summed(w: World, end: str, values: str = "strength") -> pd.Series[Any]:
    """The sum of some values out of ('source') or into ('target') each feature, by id."""
    sums = w.varying.groupby(end)[values].sum()
    return w.f["feature"].map(sums).fillna(0.0)


def ends(w: World) -> pd.DataFrame:
    f = w.f.assign(out=summed(w, "source"), into=summed(w, "target"))
    return f[f["role"] != "constant"]
