"""Named queries about two features of a layer beside each other, by pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.queries.asking.oracles.world import RUN, World, top


def cosines(rows: pd.DataFrame, end: str, other: str, values: str) -> pd.DataFrame:
    matrix = rows.pivot(index=end, columns=other, values=values).fillna(0.0)
    label = dict(zip(rows[end], rows[f"{end}_label"], strict=True))
    found = []
    for n, first in enumerate(matrix.index):
        for second in matrix.index[n + 1 :]:
            a, b = np.sqrt(matrix.loc[first]), np.sqrt(matrix.loc[second])
            found.append(
                (first, second, a @ b / np.sqrt((a @ a) * (b @ b)), ((a > 0) & (b > 0)).sum(),
                 label[first], label[second])
            )  # fmt: skip
    columns = ["first", "second", "similarity", "common", "first_label", "second_label"]
    frame = pd.DataFrame(found, columns=columns)
    frame = frame[frame["common"] > 0]
    return top(frame, " ".join(columns), "-similarity", names="first second")


def redundant_pairs(w: World) -> pd.DataFrame:
    rows = w.varying[(w.varying["s_layer"] == "layer.0") & (w.varying["share"] >= 0.01)]
    return cosines(rows, "source", "target", "strength")


def similar_answers(w: World) -> pd.DataFrame:
    rows = w.varying[(w.varying["t_layer"] == "layer/3") & (w.varying["share"] >= 0.01)]
    return cosines(rows, "target", "source", "share")


def shared_inputs(w: World) -> pd.DataFrame:
    one, two = (w.varying[w.varying["target"] == f"{RUN}/layer/1/{n}"] for n in (1, 2))
    rows = one.merge(two, on="source", suffixes=("_1", "_2"))
    new = {"source_label_1": "label", "share_1": "first_share", "share_2": "second_share",
           "effect_1": "first_effect", "effect_2": "second_effect"}  # fmt: skip
    rows = rows.rename(columns=new)
    rows["both"] = rows[["first_share", "second_share"]].min(axis=1)
    return top(
        rows, "source label both first_share second_share first_effect second_effect", "-both"
    )
