"""Named queries about the best paths, by pandas."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tests.queries.asking.oracles.world import RUN, World, important, top


def best_costs(w: World) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """The strength of the best path from the first layer to each feature, and to the last."""
    forwards, backwards = w.f["layer_index"].eq(0) * 1.0, w.f["layer_index"].eq(3) * 1.0
    ids = w.f["feature"]
    constant = w.f["role"] == "constant"
    forwards[constant] = backwards[constant] = 0.0
    for layer in range(3):
        rows = w.varying[w.varying["s_layer_index"] == layer]
        reached = rows["share"] * rows["source"].map(dict(zip(ids, forwards, strict=True)))
        forwards = forwards.where(w.f["layer_index"] != layer + 1,
                                  ids.map(reached.groupby(rows["target"]).max()))  # fmt: skip
        rows = w.varying[w.varying["s_layer_index"] == 2 - layer]
        reached = rows["share"] * rows["target"].map(dict(zip(ids, backwards, strict=True)))
        backwards = backwards.where(w.f["layer_index"] != 2 - layer,
                                    ids.map(reached.groupby(rows["source"]).max()))  # fmt: skip
    return forwards, backwards


def best_path_through(w: World) -> pd.DataFrame:
    forwards, backwards = best_costs(w)
    f = w.f.assign(strength=forwards * backwards)
    f = f[(f["strength"] > 0) & (f["layer"] == "layer.2")]
    return top(f, "feature label strength importance", "-strength", names="feature")


def paths_through(w: World) -> pd.DataFrame:
    forwards, backwards = best_costs(w)
    first = dict(zip(w.f["feature"], forwards, strict=True))
    last = dict(zip(w.f["feature"], backwards, strict=True))
    middle = f"{RUN}/layer/1/1"
    both = w.varying[w.varying["target"] == middle].merge(
        important(w)[important(w)["source"] == middle], how="cross"
    )
    both["source"], both["target"], both["feature"] = both["source_x"], both["target_y"], middle
    both["through"] = both["share_x"] * both["share_y"]
    both["best"] = both["through"] * both["source"].map(first) * both["target"].map(last)
    both["source_label"], both["target_label"] = both["source_label_x"], both["target_label_y"]
    both["label"] = both["target_label_x"]
    columns = "source feature target through best source_label label target_label"
    return top(both, columns, "-through")
