"""Runs side by side, and how sparse their interactions are."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ingest
import lib_graph
import queries
from ingest.store import GraphStore
from lib_graph.errors import UsageError
from lib_graph.networks.checkpoint import save
from lib_graph.run import LayerInfo, Run
from lib_graph.run.ablations import ABLATION, TABLE
from lib_graph.run.kept import graph_of
from lib_graph.run.writing import write_rows
from queries.comparing.runs import compare_runs, open_graphs
from queries.comparing.sparsity import Sparsity, sparsity
from tests.lib_graph.nets import CONFIG, transformer
from tests.queries.conftest import Answer
from tests.synthetic import random_matches, random_run

Cli = Callable[..., Answer]


def by_definition(values: np.ndarray) -> Sparsity:
    """The measures, from all numbers with their zeros, by their definitions."""
    n, total = len(values), values.sum()
    falling = sorted(values, reverse=True)
    reach = [
        next(k for k in range(1, n + 1) if sum(falling[:k]) >= part * total - 1e-9)
        for part in (0.9, 0.99)
    ]
    gini = np.abs(values[:, None] - values[None, :]).sum() / (2 * n * total)
    hoyer = (np.sqrt(n) - total / np.sqrt((values**2).sum())) / (np.sqrt(n) - 1)
    shares = values[values > 0] / total
    return Sparsity(*reach, gini, hoyer, float(np.exp(-(shares * np.log(shares)).sum())))


@pytest.mark.parametrize("zeros", [0, 1, 30])
def test_sparsity_is_that_of_the_definitions(zeros: int) -> None:
    positive = np.random.default_rng(zeros).lognormal(0, 2, 25)
    found = sparsity(positive, 25 + zeros)
    expected = by_definition(np.concatenate([positive, np.zeros(zeros)]))
    assert (found.for_90, found.for_99) == (expected.for_90, expected.for_99)
    assert (found.gini, found.hoyer) == pytest.approx((expected.gini, expected.hoyer), abs=1e-12)
    assert found.effective == pytest.approx(expected.effective)


def test_sparsity_at_its_ends() -> None:
    equal, one = sparsity(np.ones(10), 10), sparsity(np.array([3.0]), 10)
    assert (equal.for_90, equal.for_99) == (9, 10)
    assert (equal.gini, equal.hoyer) == pytest.approx((0.0, 0.0), abs=1e-12)
    assert (one.for_90, one.for_99) == (1, 1)
    assert (one.gini, one.hoyer) == pytest.approx((0.9, 1.0))
    assert sparsity(np.ones(1), 1).hoyer is None
    assert sparsity(np.zeros(0), 10) == Sparsity(None, None, None, None, None)


def sources_of(rows: pd.DataFrame, layer: LayerInfo) -> float:
    """The mean over targets of exp(entropy of the shares of their sources), a target at a time."""
    own = rows[rows["source_layer"] == layer.name]
    numbers = []
    for _, into in own.groupby("target"):
        shares = into["strength"] / into["strength"].sum()
        numbers.append(np.exp(-sum(p * np.log(p) for p in shares if p > 0)))
    return float(np.mean(numbers))


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    return [
        random_run(tmp_path / name, widths, seed=n, name=name, last=last)
        for n, (name, widths, last) in enumerate(
            [("one", (6, 5, 4, 3), "raw"), ("two", (5, 6, 4), "basis")]
        )
    ]


@pytest.mark.slow
def test_runs_are_compared_by_what_their_folders_say(store: GraphStore, runs: list[Run]) -> None:
    for run in runs:
        ingest.load(run, store)
    graphs = [queries.open_graph(store, run.id) for run in runs]
    found = compare_runs(graphs, resolution=1.3, seed=2, null=2)
    rows = iter(found.layers.itertuples())
    for run, graph, summary in zip(runs, graphs, found.runs.itertuples(), strict=True):
        table = graph.module_table(resolutions=[1.3], seed=2, seeds=1, null=2).frame.iloc[0]
        names = ["modularity", "null_mean", "null_sd", "modules", "purity", "label_ari"]
        assert [getattr(summary, name) for name in names] == table[names].tolist()
        assert (summary.run, summary.name) == (run.id, run.manifest.name)
        own = run.interactions
        own = own[own["source"] != 0]
        assert summary.interactions == len(own)
        for layer in run.layers:
            row = next(rows)
            assert (row.run, row.layer) == (run.id, layer.name)
            assert (row.width, row.pca_rank, row.features) == (
                layer.width, layer.pca_rank, layer.features,
            )  # fmt: skip
            strength = own["strength"][own["source_layer"] == layer.name].to_numpy()
            assert row.interactions == len(strength)
            if layer.index + 1 < len(run.layers):
                pairs = layer.features * run.layers[layer.index + 1].features
                all_pairs = np.concatenate([strength, np.zeros(pairs - len(strength))])
                expected = by_definition(all_pairs)
                assert (row.for_90, row.for_99) == (expected.for_90, expected.for_99)
                assert row.gini == pytest.approx(expected.gini)
                assert row.hoyer == pytest.approx(expected.hoyer)
                assert row.effective == pytest.approx(expected.effective)
                assert row.sources == pytest.approx(sources_of(own, layer))
            else:
                assert pd.isna(row.for_90)
                assert pd.isna(row.gini)


@pytest.mark.slow
def test_edges_required_and_matches_are_there_where_they_were_found(
    store: GraphStore, runs: list[Run]
) -> None:
    one, two = runs
    rows = [("edges_required", "layer.0", 7), ("edges_required", "layer.2", 3),
            ("edge_curve", "layer/1", 5)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["kind", "layer", "edges"]).assign(
        run=two.id,
        basis="lib",
        nodes=None,
        metric="accuracy",
        score=1.0,
        baseline=1.0,
        random_score=0.5,
        delta=1e-3,
    )
    beside = table.assign(run=one.id, edges=1)  # as --against does; what a run itself says wins
    larger = table[:2].assign(edges=2, delta=1e-2)  # a second δ of the same ablation
    for run, tables in ((one, [table[:1].assign(run=one.id)]), (two, [table, larger, beside])):
        origin = {**graph_of(run), "metric": "accuracy"}
        write_rows(run.path / TABLE, ABLATION, [pd.concat(tables)], origin)
    for each in runs:
        ingest.load(each, store)
    graphs = [queries.open_graph(store, run.id) for run in runs]
    for order in (graphs, graphs[::-1]):
        found = compare_runs(order, null=1).layers
        assert found["matched"].isna().all()
        required = found.dropna(subset="edges_required").set_index(["run", "layer"])
        assert required["edges_required"].to_dict() == {
            (one.id, "layer.0"): 7,
            (one.id, "layer.2"): 1,
            (two.id, "layer.0"): 7,
            (two.id, "layer.2"): 3,
        }
    for first, other, seed in ((two, one, 0), (one, two, 1)):  # on the data of either
        matches = random_matches(first, other, seed)
        assert ingest.load(two, store).outcome == "updated"
        found = compare_runs(graphs, null=1).layers
        assert found.loc[found["run"] == one.id, "matched"].isna().all()
        own = ("layer", "other_index" if other is two else "index")
        best = matches["correlation"].abs().groupby([matches[name] for name in own]).max()
        expected = best.groupby("layer").median()
        layers = [layer.name for layer in two.layers]
        matched = found.loc[found["run"] == two.id, "matched"]
        assert matched.tolist() == pytest.approx(expected[layers].tolist())


@pytest.mark.slow
def test_bases_and_checkpoints_of_a_network(tmp_path: Path, cli: Cli) -> None:
    runs = []
    for seed, basis in [(0, "lib"), (0, "global"), (0, "neuron"), (1, "pca")]:
        model = tmp_path / f"checkpoint-{seed}"
        if not model.exists():
            save(model, transformer(seed).float(), CONFIG)
        runs.append(lib_graph.build(model, tmp_path / basis, lib_graph.Options(basis=basis)))
    for run in runs[1:]:
        assert cli("match", runs[0].path, run.path, "-q").code == 0
    arguments = ("compare", *(run.path for run in runs), "--null", 1)
    found = json.loads(cli(*arguments, "--json").out)
    assert [row["basis"] for row in found["runs"]] == ["lib", "global", "neuron", "pca"]
    assert all(0 < row["purity"] <= 1 and row["labelled"] for row in found["runs"])
    matched = {(row["run"], row["layer"]): row["matched"] for row in found["layers"]}
    layers = [layer.name for layer in runs[0].layers]
    assert [matched[runs[0].id, name] for name in layers] == [None] * 4
    for run in runs[1:3]:
        assert matched[run.id, "output"] == pytest.approx(1, abs=1e-9)
    assert matched[runs[1].id, "unembed"] == pytest.approx(1, abs=1e-6)  # before a linear map
    assert all(0 < matched[runs[3].id, name] < 0.999 for name in layers)
    lines = cli(*arguments).out.splitlines()
    rows = [line.split() for line in lines if line.startswith("modular-addition-pca ")]
    shown = [f"{matched[runs[3].id, name]:.3f}" for name in layers]
    assert [row[-1] for row in rows if row[1] in layers][:4] == shown


@pytest.mark.slow
def test_folders_and_stored_runs_can_be_mixed(runs: list[Run], tmp_path: Path, cli: Cli) -> None:
    store = tmp_path / "graph.kgl"
    ingest.load(runs[1], store)
    with open_graphs([str(runs[0].path), "two"], store) as graphs:
        assert [graph.run.id for graph in graphs] == [run.id for run in runs]
        expected = compare_runs(graphs, null=3)
    arguments = ("compare", runs[0].path, runs[1].id[:6], "--null", 3, "--store", store)
    shown = json.loads(cli(*arguments, "--json").out)
    assert shown == json.loads(json.dumps(expected.json_value()))
    table = cli(*arguments).out
    assert all(run.id in table for run in runs)
    with queries.open_graph(store) as graph:  # the store is as it was
        assert [row["id"] for row in graph.runs().records()] == [runs[1].id]


@pytest.mark.slow
def test_runs_of_one_name_are_told_apart_by_their_ids(tmp_path: Path, cli: Cli) -> None:
    names = ["seed", "seed", "mine"]
    runs = [random_run(tmp_path / f"{n}", (3, 2), seed=n, name=x) for n, x in enumerate(names)]
    lines = cli("compare", *(run.path for run in runs), "--null", 1).out.splitlines()
    shown = {line.split()[0] for line in lines if "layer.0 " in line}
    assert shown == {runs[0].id, runs[1].id, "mine"}


@pytest.mark.slow
def test_what_cannot_be_compared_is_one_clear_line(
    runs: list[Run], tmp_path: Path, cli: Cli
) -> None:
    with (
        open_graphs([str(runs[0].path)] * 2) as graphs,
        pytest.raises(UsageError, match="Name two or more"),
    ):
        compare_runs(graphs)
    store = tmp_path / "graph.kgl"
    ingest.load(runs[0], store)
    answer = cli("compare", "one", "tow", "--store", store)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "There is no run folder 'tow'. Run 'tow' not found" in answer.err
    answer = cli("compare", "one", "two", "--store", tmp_path / "none.kgl")
    assert (answer.code, answer.out, answer.err.count("\n")) == (3, "", 1)
    assert "There is no run folder 'one'. There is no store" in answer.err


@pytest.mark.slow
def test_top_takes_the_most_important_features_of_both_layers(
    store: GraphStore, runs: list[Run]
) -> None:
    for run in runs:
        ingest.load(run, store)
    graphs = [queries.open_graph(store, run.id) for run in runs]
    found = compare_runs(graphs, null=0, top=3, seeds=2)
    assert found.runs["stability"].notna().all()
    for run in runs:
        features = run.features[run.features["role"] != "constant"]
        for layer, after in pairwise(run.layers):
            ends = []
            for each in (layer, after):
                own = features[features["layer"] == each.name]
                raw = each.kind == "raw"
                ends.append(own if raw else own.nlargest(3, "importance"))
            rows = run.interactions[run.interactions["source_layer"] == layer.name]
            chosen = [rows["source"].isin(ends[0]["index"]), rows["target"].isin(ends[1]["index"])]
            rows = rows[chosen[0] & chosen[1]]
            row = found.layers.query("run == @run.id and layer == @layer.name").iloc[0]
            assert row.interactions == len(rows)
            zeros = np.zeros(len(ends[0]) * len(ends[1]) - len(rows))
            expected = by_definition(np.concatenate([rows["strength"], zeros]))
            assert (row.for_90, row.for_99) == (expected.for_90, expected.for_99)
            assert row.gini == pytest.approx(expected.gini)
            assert row.effective == pytest.approx(expected.effective)
            assert row.sources == pytest.approx(sources_of(rows, layer))
    with pytest.raises(UsageError, match="top is 0"):
        compare_runs(graphs, top=0)
