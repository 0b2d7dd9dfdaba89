"""Every named query gives, on both stores, what pandas finds in the run folders."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ingest
import queries
from ingest.store import GraphStore
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.run import Run
from lib_graph.run.matches import all_matches
from queries.asking.library import all_queries, find_query
from queries.asking.statements import CYPHER
from tests.loaded import load_once
from tests.queries.conftest import Answer
from tests.synthetic import random_matches, random_run

Cli = Callable[..., Answer]
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


def inputs_of(w: World) -> pd.DataFrame:
    rows = w.varying[w.varying["target"] == f"{RUN}/layer/3/1"]
    rows = rows.sort_values("share", ascending=False)
    rows["running"], rows["label"] = rows["share"].cumsum(), rows["source_label"]
    return top(rows, "source label strength stderr effect share running", "-share", 3)


def outputs_of(w: World) -> pd.DataFrame:
    rows = important(w)[important(w)["source"] == f"{RUN}/layer.0/2"]
    rows = rows.assign(label=rows["target_label"])
    return top(rows, "target label strength stderr effect share", "-share", 3)


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


def circuits_with(w: World) -> pd.DataFrame:
    return pd.DataFrame(
        {"circuit": ["small"], "interactions": [3], "interactions_here": [2], "score": [0.5],
         "baseline": [0.75], "random_score": [0.25]}
    )  # fmt: skip


Oracle = Callable[[World], pd.DataFrame]
ASKED: dict[str, tuple[dict[str, Any], Oracle]] = {
    "best_path_through": ({"layer": "layer.2"}, best_path_through),
    "bottlenecks": ({}, bottlenecks),
    "cancelling": ({"layer": "layer/1"}, cancelling),
    "changed_variance": ({"other": "base"}, changed_variance),
    "changed_interactions": (
        {"other": BASE[:4], "min_share": 0.1, "k": 1000},
        changed_interactions,
    ),
    "circuits_with": ({"feature": "layer/1/1"}, circuits_with),
    "concentrated_inputs": ({"k": 1000}, concentrated_inputs),
    "constant_driven": ({}, constant_driven),
    "dead_ends": ({"min_share": 0.3}, dead_ends),
    "exciting": ({"min_share": 0.05}, lambda w: signed(w, 1)),
    "hubs": ({"by": "degree_out", "min_share": 0.2}, hubs),
    "inhibiting": ({"min_share": 0.05}, lambda w: signed(w, -1)),
    "input_ignores": ({"min_share": 0.1, "k": 1000}, lambda w: against_base(w, -1)),
    "input_uses": ({"min_share": 0.1}, lambda w: against_base(w, 1)),
    "inputs_of": ({"feature": "layer/3/1", "k": 3}, inputs_of),
    "label_flow": ({}, label_flow),
    "layer_totals": ({}, layer_totals),
    "matched_interactions": (
        {"other": "base", "min_correlation": 0.5, "min_share": 0.1, "k": 1000},
        matched_interactions,
    ),
    "matches": ({"feature": "layer/1/1", "min_correlation": 0.2}, matches),
    "mixing_labels": ({"layer": "layer/1"}, mixing_labels),
    "module_bridges": ({}, module_bridges),
    "module_flow": ({}, module_flow),
    "one_module_features": ({"min_part": 0.6}, one_module_features),
    "outliers": ({"min_part": 0.01}, outliers),
    "outputs_of": ({"feature": f"{RUN}/layer.0/2", "k": 3}, outputs_of),
    "paths_through": ({"feature": "layer/1/1"}, paths_through),
    "redundant_pairs": ({"layer": "layer.0"}, redundant_pairs),
    "shared_inputs": ({"first": "layer/1/1", "second": "layer/1/2"}, shared_inputs),
    "similar_answers": ({"layer": "layer/3"}, similar_answers),
    "specialists": ({"min_part": 0.01}, specialists),
    "uncertain": ({}, uncertain),
    "weak_inputs": ({"max_share": 0.9, "min_inputs": 3}, weak_inputs),
}


@pytest.fixture
def runs(store: GraphStore, tmp_path: Path) -> tuple[Run, Run]:
    """A run with its base, loaded; other bases, so that they differ everywhere."""
    base = random_run(tmp_path / "base", (6, 5, 4, 4), seed=8, run_id=BASE, name="base")
    run = random_run(tmp_path / "run", (7, 5, 4, 3), seed=5, run_id=RUN, base=BASE)
    for seed, pair in enumerate([(run, base), (base, run)]):
        random_matches(*pair, seed)
    load_once(store, base, run)
    return run, base


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


@pytest.mark.slow
def test_each_query_answers_as_pandas_does(store: GraphStore, runs: tuple[Run, Run]) -> None:
    graph = queries.open_graph(store, RUN)
    modules = graph.communities()
    graph.save_communities(modules)
    store.write(
        "MATCH (f:Feature {id: $f}) CREATE (c:Circuit {id: $run + '/small', run: $run, "
        "name: 'small', interactions: [$a + '>' + $f, $f + '>' + $b, $a + '>' + $b], score: 0.5, "
        "baseline: 0.75, random_score: 0.25})-[:CONTAINS]->(f)",
        {"run": RUN, "a": f"{RUN}/layer.0/1", "f": f"{RUN}/layer/1/1", "b": f"{RUN}/layer.2/11"},
    )
    own, base = (tables(run, modules.membership()) for run in runs)
    world = World(*own, *base, from_here(runs[0]))
    graphs = {"graphs_with"}  # of attribution graphs: tests/queries/test_prompt_runs.py
    assert set(ASKED) | graphs == {each.name for each in all_queries()}
    for name, (parameters, oracle) in ASKED.items():
        known = {each.name for each in find_query(name).parameters}
        always = {"k": 5, "min_importance": 0.1}
        parameters = {n: value for n, value in always.items() if n in known} | parameters
        found = graph.query(name, **parameters).to_pandas()
        expected = oracle(world).reset_index(drop=True)
        assert len(expected), name
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9, obj=name)


@pytest.mark.parametrize("query", all_queries(), ids=lambda query: query.name)
def test_a_text_documents_itself(query: queries.asking.library.NamedQuery) -> None:
    code = re.sub(r"^//.*\n", "", query.text, flags=re.MULTILINE)
    used = set(re.findall(r"\$(\w+)", code))
    assert used == {"run", *(parameter.name for parameter in query.parameters)}
    assert query.title
    assert query.question.endswith("?")
    assert set(re.findall(r"^// :param (\w+) => ", query.text, re.MULTILINE)) == used
    assert "(:Run {id: $run, status: 'complete'})" in code.replace("(here:Run", "(:Run")
    assert not re.search(r"\b(CREATE|SET|DELETE|MERGE|REMOVE|apoc|gds)\b", code)
    returned = code[code.rindex("RETURN") :]
    names = {each.name for each in all_queries()}
    for column in re.findall(r"\w+", query.notes):
        if "_" in column and column not in names:
            assert column in code, f"the notes speak of {column}"
    assert "LIMIT $k" in returned or "k" not in used or query.name == "inputs_of"
    assert max(map(len, query.text.splitlines())) <= 100


@pytest.mark.slow
def test_a_run_that_is_not_complete_is_not_read(store: GraphStore, runs: tuple[Run, Run]) -> None:
    graph = queries.open_graph(store, RUN)
    asked = [graph.query(name, **parameters) for name, (parameters, _) in ASKED.items()]
    for run in (BASE, RUN):
        store.write("MATCH (r:Run {id: $run}) SET r.status = 'deleting'", {"run": run})
        for answer in asked:
            (statement,) = answer.statements
            if run == RUN or BASE in statement.parameters.values():
                assert store.execute(statement.text, statement.parameters) == []


@pytest.mark.parametrize("query", all_queries(), ids=lambda query: query.name)
def test_defaults_are_of_their_kind_and_an_answer_is_shown(
    query: queries.asking.library.NamedQuery,
) -> None:
    example = query.text.partition("// Example answer")[2]
    assert len(re.findall(r"^//   ", example, re.MULTILINE)) > 1
    known = {"count", "index", "number", "share", "layer", "feature", "run"}
    for parameter in query.parameters:
        assert parameter.kind in known or parameter.value in parameter.kind.split(" | ")
        assert parameter.about


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("hub", {}, "Query 'hub' not found. Closest: 'hubs'. List them with 'lib-graph queries'."),
        ("hubs", {"kk": 3}, "Parameter of the query 'hubs' 'kk' not found. Closest: 'k'."),
        ("hubs", {"k": "many"}, "The parameter k is 'many'. Give a whole number from 1."),
        ("hubs", {"k": 0}, "whole number from 1"),
        ("hubs", {"k": True}, "whole number from 1"),
        ("hubs", {"k": None}, "whole number from 1"),
        ("hubs", {"min_share": 2}, "from 0 to 1"),
        ("hubs", {"min_share": "much"}, "Give a number"),
        ("hubs", {"by": "strength"}, "Take one of strength_out, strength_in"),
        ("hubs", {"layer": "layer1"}, "Closest: 'layer/1'"),
        ("hubs", {"layer": 1}, "Give text"),
        ("module_flow", {"seed": -1}, "whole number from 0"),
        ("module_flow", {"resolution": float("inf")}, "Give a number"),
        ("inputs_of", {}, "needs a value for feature (feature): the feature that is driven."),
        ("inputs_of", {"feature": None}, "Give text"),
        ("inputs_of", {"feature": "layer/1"}, "Give a feature, LAYER/INDEX"),
        ("inputs_of", {"feature": "layer/1/99"}, "Feature 'layer/1/99' not found"),
        ("changed_variance", {"other": "bse"}, "Closest: 'base'"),
    ],
)
def test_what_cannot_be_asked_is_one_clear_line(
    tmp_path_factory: pytest.TempPathFactory, name: str, parameters: dict[str, Any], says: str
) -> None:
    folder = tmp_path_factory.mktemp("library")
    target = str(folder / "graph.kgl")
    ingest.load(random_run(folder / "base", name="base"), target)
    with queries.open_graph(target) as graph, pytest.raises((UsageError, NotFoundError)) as error:
        graph.query(name, **parameters)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_the_verbs(store: GraphStore, runs: tuple[Run, Run], store_target: str, cli: Cli) -> None:
    listed = cli("queries").out
    assert all(each.name in listed and each.question in listed for each in all_queries())
    assert cli("queries", "hubs").out == (CYPHER / "library/hubs.cypher").read_text()
    assert "Closest: 'hubs'" in cli("queries", "hups").err
    at = ("--store", store_target, "--run", RUN)
    answer = cli("query", "hubs", "--param", "layer=layer/1", "--param", "k=2", *at)
    expected = queries.open_graph(store, RUN).query("hubs", layer="layer/1", k=2).frame["feature"]
    first = [line.split()[0] for line in answer.out.splitlines()]
    assert first == ["feature", *(feature.removeprefix(f"{RUN}/") for feature in expected)]
    none = cli("query", "module_flow", *at)
    assert none.out == "No rows. Needs stored modules: lib-graph communities --write\n"
    missing = cli("query", "inputs_of", *at)
    assert (missing.code, missing.out, missing.err.count("\n")) == (2, "", 1)
    assert cli("query", "inputs_of", "--param", "feature", *at).code == 2
