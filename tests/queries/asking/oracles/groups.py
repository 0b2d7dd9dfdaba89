"""Named queries about labels, modules and circuits, by pandas."""

from __future__ import annotations

import pandas as pd

from tests.queries.asking.oracles.world import World, important, top


def label_flow(w: World) -> pd.DataFrame:
    ends = ["s_layer", "t_layer", "source_label", "target_label"]
    rows = w.varying.groupby(ends, as_index=False)["strength"].agg(["size", "sum"])
    rows["part"] = rows["sum"] / rows.groupby("s_layer")["sum"].transform("sum")
    rows = rows.rename(columns={"s_layer": "source_layer", "t_layer": "target_layer",
                                "sum": "strength", "size": "interactions"})  # fmt: skip
    return top(
        rows,
        "source_layer target_layer source_label target_label part strength interactions", "-part",
    )  # fmt: skip


def mixing_labels(w: World) -> pd.DataFrame:
    same = w.varying["source_label"] == w.varying["target_label"]
    i = w.varying.assign(own=w.varying["share"] * same, other=w.varying["share"] * ~same)
    f = w.f.merge(i.groupby("target")[["own", "other"]].sum(), left_on="feature", right_index=True)
    f = f[(f["layer"] == "layer/1") & f["important"]]
    return top(f, "feature label other own importance", "-other", names="feature")


def one_module_features(w: World) -> pd.DataFrame:
    flow = w.varying.groupby(["source", "t_module"])["strength"].sum().unstack(fill_value=0.0)
    found = pd.DataFrame(
        {"module": flow.idxmax(axis=1), "part": flow.max(axis=1) / flow.sum(axis=1),
         "strength": flow.sum(axis=1)}
    )  # fmt: skip
    f = w.f.merge(found, left_on="feature", right_index=True).assign(own=lambda f: f["module_x"])
    f = f[f["part"] >= 0.6].rename(columns={"module_y": "module"})
    return top(f, "feature label module own part strength", "-strength")


def module_flow(w: World) -> pd.DataFrame:
    i = w.varying.dropna(subset=["s_module", "t_module"])
    rows = i.groupby(["s_module", "t_module"], as_index=False).agg(
        interactions=("share", "size"), strength=("strength", "sum"), share=("share", "sum")
    )
    size = w.f["module"].value_counts()
    rows = rows.rename(columns={"s_module": "source", "t_module": "target"})
    rows["source_size"], rows["target_size"] = rows["source"].map(size), rows["target"].map(size)
    columns = "source target interactions strength share source_size target_size"
    return top(rows, columns, "-share", names="source target")


def module_bridges(w: World) -> pd.DataFrame:
    i = important(w).dropna(subset=["s_module", "t_module"])
    i = i[i["s_module"] != i["t_module"]]
    i = i.rename(columns={"s_module": "source_module", "t_module": "target_module"})
    columns = "source target source_module target_module share strength source_label target_label"
    return top(i, columns, "-share", names="source target")


def circuits_with(w: World) -> pd.DataFrame:
    return pd.DataFrame(
        {"circuit": ["small"], "interactions": [3], "interactions_here": [2], "score": [0.5],
         "baseline": [0.75], "random_score": [0.25]}
    )  # fmt: skip
