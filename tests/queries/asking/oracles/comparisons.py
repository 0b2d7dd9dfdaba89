"""Named queries about a run beside its base, by pandas."""

from __future__ import annotations

import pandas as pd

from tests.queries.asking.oracles.world import RUN, World, important, top


def beside(w: World) -> pd.DataFrame:
    """Both runs' interactions that are not constant, side by side; missing is NaN."""
    sides = []
    for i, name in ((w.varying, ""), (w.base_i[w.base_i["s_role"] != "constant"], "base_")):
        columns = ["share", "strength", "source_label", "target_label", "t_important"]
        side = i[["s_place", "t_place", *columns]]
        named = {x: name + x for x in columns}
        sides.append(side.rename(columns=named))
    return sides[0].merge(sides[1], on=["s_place", "t_place"], how="outer")


def changed_interactions(w: World) -> pd.DataFrame:
    rows = beside(w)
    numbers = ["share", "base_share", "strength", "base_strength"]
    rows[numbers] = rows[numbers].fillna(0.0)
    here = (rows["share"] >= 0.1) & rows["t_important"].eq(True)
    there = (rows["base_share"] >= 0.1) & rows["base_t_important"].eq(True)
    rows = rows[here | there]
    rows = rows.rename(columns={"s_place": "source", "t_place": "target",
        "base_share": "other_share", "base_strength": "other_strength"})  # fmt: skip
    rows["change"] = rows["other_share"] - rows["share"]
    rows["size"] = rows["change"].abs()
    columns = "source target change share other_share strength other_strength"
    return top(rows, columns, "-size", 1000, "source target")


def changed_variance(w: World) -> pd.DataFrame:
    f = w.f.dropna(subset="variance").merge(
        w.base_f.dropna(subset="variance"), on=["place", "layer"], suffixes=("", "_there")
    )
    for name, column in (("part", "variance"), ("other_part", "variance_there")):
        f[name] = f[column] / f.groupby("layer")[column].transform("sum")
    f = f.assign(feature=f["place"], other_label=f["label_there"])
    f["change"] = f["other_part"] - f["part"]
    f["size"] = f["change"].abs()
    return top(f, "feature change part other_part label other_label", "-size")


def against_base(w: World, sign: int) -> pd.DataFrame:
    rows = beside(w)
    here, there = ("", "base_") if sign > 0 else ("base_", "")
    rows = rows[(rows[f"{here}share"] >= 0.1) & rows[f"{here}t_important"].eq(True)]
    rows["factor"] = rows[f"{here}strength"] / rows[f"{there}strength"]
    rows["source_label"] = rows[f"{here}source_label"]
    rows["target_label"] = rows[f"{here}target_label"]
    rows["source"], rows["target"] = RUN + "/" + rows["s_place"], RUN + "/" + rows["t_place"]
    numbers = ["share", "base_share", "strength", "base_strength"]
    rows[numbers] = rows[numbers].fillna(0.0)
    rows["more"] = sign * (rows["share"] - rows["base_share"])
    columns = "source target factor share base_share strength source_label target_label"
    return top(rows, columns, "-more", 5 if sign > 0 else 1000, "source target")


def matches(w: World) -> pd.DataFrame:
    m = w.m[(w.m["feature"] == f"{RUN}/layer/1/1") & (w.m["correlation"].abs() >= 0.2)]
    m = m.merge(w.base_f.add_prefix("g_"), left_on="counterpart", right_on="g_feature")
    m = m.assign(run_name="base", label=m["g_label"], importance=m["g_importance"])
    m["size"] = m["correlation"].abs()
    columns = "counterpart run_name correlation rank other_rank label importance data"
    return top(m, columns, "-size")


def matched_interactions(w: World) -> pd.DataFrame:
    m = w.m[(w.m["rank"] == 1) & (w.m["other_rank"] == 1) & (w.m["correlation"].abs() >= 0.5)]
    i = important(w)[important(w)["share"] >= 0.1]
    for end in ("source", "target"):
        ends = m[["feature", "counterpart"]].add_prefix(f"{end}_")
        i = i.merge(ends, left_on=end, right_on=f"{end}_feature")
        i = i.rename(columns={f"{end}_counterpart": f"other_{end}"})
    there = w.base_i.set_index(["source", "target"])["share"]
    i["other_share"] = [
        there.get(pair, 0.0) for pair in zip(i["other_source"], i["other_target"], strict=True)
    ]
    i["change"] = i["other_share"] - i["share"]
    i["size"] = i["change"].abs()
    columns = "source target change share other_share other_source other_target"
    i = i.drop_duplicates(columns.split())
    return top(i, columns, "-size", 1000, "source target other_source other_target")
