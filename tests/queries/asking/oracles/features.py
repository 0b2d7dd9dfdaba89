"""Named queries about single features, by pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.queries.asking.oracles.world import World, ends, important, summed, top


def hubs(w: World) -> pd.DataFrame:
    w.i["strong"] = (w.i["share"] >= 0.2).astype(int)
    f = ends(w).assign(
        strength_out=lambda f: f["out"], strength_in=lambda f: f["into"],
        degree_out=summed(w, "source", "strong"), degree_in=summed(w, "target", "strong"),
    )  # fmt: skip
    columns = "feature label strength_out strength_in degree_out degree_in"
    return top(f, columns, "-degree_out", names="feature")


def bottlenecks(w: World) -> pd.DataFrame:
    f = ends(w)
    for name, end in (("part_in", "into"), ("part_out", "out")):
        f[name] = f[end] / f.groupby("layer")[end].transform("sum")
    f["through"] = f[["part_in", "part_out"]].min(axis=1, skipna=False)
    return top(f.dropna(subset="through"), "feature label through part_in part_out", "-through")


def inputs(w: World) -> pd.DataFrame:
    """Of each feature with inputs: how many, the largest share, Σ share², the entropy."""
    i = important(w).assign(square=important(w)["share"] ** 2)
    i["entropy"] = -i["share"] * np.log(i["share"])
    found = i.groupby("target").agg(
        inputs=("share", "size"), largest=("share", "max"), squares=("square", "sum"),
        entropy=("entropy", "sum"),
    )  # fmt: skip
    return w.f.merge(found, left_on="feature", right_index=True)


def weak_inputs(w: World) -> pd.DataFrame:
    f = inputs(w).assign(effective=lambda f: 1 / f["squares"])
    f = f[(f["largest"] <= 0.9) & (f["inputs"] >= 3)]
    return top(f, "feature label inputs largest effective", "-effective")


def concentrated_inputs(w: World) -> pd.DataFrame:
    f = inputs(w).assign(effective=lambda f: np.exp(f["entropy"]))
    return top(f, "feature label inputs largest effective", "effective", 1000)


def specialists(w: World) -> pd.DataFrame:
    i = w.varying.assign(square=w.varying["strength"] ** 2)
    found = i.groupby("source").agg(
        targets=("strength", "size"), strength=("strength", "sum"), squares=("square", "sum")
    )
    f = w.f.merge(found, left_on="feature", right_index=True)
    f["effective"] = f["strength"] ** 2 / f["squares"]
    f["part"] = f["strength"] / f.groupby("layer")["strength"].transform("sum")
    f = f[f["part"] >= 0.01]
    return top(f, "feature label targets effective strength part", "effective", names="feature")


def dead_ends(w: World) -> pd.DataFrame:
    largest = w.f["feature"].map(w.varying.groupby("source")["share"].max()).fillna(0.0)
    f = w.f.assign(strength_in=summed(w, "target"), largest_out=largest)
    f = f[(f["layer_index"] < 3) & (f["strength_in"] > 0) & (f["largest_out"] < 0.3)]
    return top(f, "feature label strength_in largest_out importance", "-strength_in")


def constant_driven(w: World) -> pd.DataFrame:
    constant = w.i[w.i["s_role"] == "constant"].groupby("target")["strength"].sum()
    f = w.f.assign(
        from_constant=w.f["feature"].map(constant).fillna(0.0), from_others=summed(w, "target")
    )
    f = f[(f["from_others"] > 0) & f["important"]].assign(
        ratio=lambda f: f["from_constant"] / f["from_others"]
    )
    return top(f, "feature label ratio from_constant from_others", "-ratio", names="feature")


def layer_totals(w: World) -> pd.DataFrame:
    f = w.f[w.f["role"] != "constant"]
    found = f.groupby(["layer_index", "layer"], as_index=False).agg(
        width=("feature", "size"), features=("feature", "size"), importance=("importance", "sum")
    )
    out = w.varying.groupby("s_layer")["strength"].agg(["size", "sum", "max"])
    for name, column in (("interactions", "size"), ("strength", "sum"), ("strongest", "max")):
        found[name] = found["layer"].map(out[column]).fillna(0)
    return found


def outliers(w: World) -> pd.DataFrame:
    f = w.f.assign(out=summed(w, "source"))
    f = f[(f["importance"] > 0) & (f["out"] > 0)]
    for name, column in (("importance_part", "importance"), ("strength_part", "out")):
        f[name] = f[column] / f.groupby("layer")[column].transform("sum")
    f = f[(f["importance_part"] >= 0.01) | (f["strength_part"] >= 0.01)]
    f["ratio"] = f["importance_part"] / f["strength_part"]
    f["distance"] = np.log(f["ratio"]).abs()
    return top(f, "feature label ratio importance_part strength_part", "-distance")
