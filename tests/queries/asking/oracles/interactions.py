"""Named queries about single interactions and those of one feature, by pandas."""

from __future__ import annotations

import pandas as pd

from tests.queries.asking.oracles.world import RUN, World, important, top


def inputs_of(w: World) -> pd.DataFrame:
    rows = w.varying[w.varying["target"] == f"{RUN}/layer/3/1"]
    rows = rows.sort_values("share", ascending=False)
    rows["running"], rows["label"] = rows["share"].cumsum(), rows["source_label"]
    return top(rows, "source label strength stderr effect share running", "-share", 3)


def outputs_of(w: World) -> pd.DataFrame:
    rows = important(w)[important(w)["source"] == f"{RUN}/layer.0/2"]
    rows = rows.assign(label=rows["target_label"])
    return top(rows, "target label strength stderr effect share", "-share", 3)


def signed(w: World, sign: int) -> pd.DataFrame:
    rows = w.varying[(w.varying["share"] >= 0.05) & (sign * w.varying["effect"] > 0)]
    columns = "source target effect strength share source_label target_label"
    return top(rows, columns, "-effect" if sign > 0 else "effect")


def cancelling(w: World) -> pd.DataFrame:
    rows = important(w)[(important(w)["share"] >= 0.05) & (important(w)["t_layer"] == "layer/1")]
    rows = rows.assign(kept=rows["effect"] ** 2 / rows["strength"])
    return top(rows, "source target kept effect strength share source_label target_label", "kept")


def uncertain(w: World) -> pd.DataFrame:
    rows = important(w)[important(w)["share"] >= 0.05]
    rows = rows.assign(relative=rows["stderr"] / rows["strength"])
    columns = "source target relative strength stderr share source_label target_label"
    return top(rows, columns, "-relative", names="source target")
