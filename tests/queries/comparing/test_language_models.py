"""A study of a small language model, against what its runs say when asked one by one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import queries
from lib_graph.analysis.ablation import read_ablation
from lib_graph.analysis.measuring.requiring import required_edges
from lib_graph.analysis.measuring.structure import feature_parts
from lib_graph.analysis.measuring.study import cross_entropy
from lib_graph.analysis.reopening import Reopened, reopened_network
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.errors import ConflictError
from lib_graph.networks import load_subject
from lib_graph.run import Run
from lib_graph.run.ablations import smallest_kept
from lib_graph.support.progress import SILENT
from queries.comparing.language_models import Budget, Lessons, Study, study, write_study
from queries.comparing.runs import compare_runs
from queries.pictures.study import PICTURES
from queries.views.study import study_tables, study_view
from tests.queries.comparing.studies import (
    CASES,
    DELTAS,
    LINEAR,
    ROWS,
    Arguments,
    Said,
    by_jacobian,
    study_of_rounds,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Arguments:
    return study_of_rounds(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def found(given: Arguments) -> Study:
    return study(**given)


@pytest.fixture(scope="module")
def runs(given: Arguments, found: Study) -> dict[str, Run]:
    names = {basis: f"tiny-{basis.replace(' ', '-')}" for basis in CASES}
    return {basis: Run.open(given["out"] / name) for basis, name in names.items()}


@pytest.fixture(scope="module")
def opened(given: Arguments, runs: dict[str, Run]) -> dict[str, Reopened]:
    subject = load_subject(given["models"][0], given["text"])
    return {name: reopened_network(runs[name], subject) for name in ("pca", "dictionary-2 0")}


def value(frame: pd.DataFrame, **where: str) -> float:
    for name, wanted in where.items():
        frame = frame[frame[name] == wanted]
    (one,) = frame["value"]
    return float(one)


def test_sparsity_is_what_the_runs_compared_say(
    given: Arguments, found: Study, runs: dict[str, Run]
) -> None:
    store = given["out"] / "lib-graph.kgl"
    graphs = [queries.open_graph(store, runs[basis].id) for basis in LINEAR]
    top = min(layer.features for run in runs.values() for layer in run.layers[:-1])
    layers = compare_runs(graphs, null=0, top=top).layers.dropna(subset="gini")
    assert set(found.sparsity["basis"]) == set(runs)
    for basis in LINEAR:
        own = layers[layers["run"] == runs[basis].id]
        for measure in ("for_90", "gini", "hoyer", "effective", "sources"):
            expected = own[measure].astype(float).mean()
            mean = value(found.sparsity, basis=basis, measure=measure, how="exact")
            assert mean == pytest.approx(expected, rel=1e-4)
    base, lib = (layers[layers["run"] == runs[basis].id] for basis in ("pca", "lib"))
    ratios = np.log(lib["sources"].to_numpy() / base["sources"].to_numpy())
    ratio = value(found.contrasts, basis="lib", measure="sources", how="exact")
    assert ratio == pytest.approx(np.exp(ratios.mean()), rel=1e-4)
    gini = value(found.contrasts, basis="lib", measure="gini", how="exact")
    assert gini == pytest.approx(
        (lib["gini"].to_numpy() - base["gini"].to_numpy()).mean(), abs=1e-4
    )


def test_intervals_hold_the_value_and_one_probe_says_something_else(found: Study) -> None:
    contrasts = found.contrasts
    assert set(contrasts["basis"]) == set(CASES) - {"pca"}
    assert (contrasts["low"] <= contrasts["high"]).all()
    inside = contrasts["value"].between(contrasts["low"], contrasts["high"])
    assert inside[(contrasts["how"] == "exact") & (contrasts["measure"] != "tokens")].all()
    ends = contrasts[["least", "value", "most"]].to_numpy()
    assert (np.diff(ends, axis=1) >= 0).all()
    by = contrasts[contrasts["measure"] == "effective"].set_index(["basis", "how"])["value"]
    assert by["lib", "exact"] != by["lib", "probed"]
    errors = found.sparsity[found.sparsity["measure"] == "error"]["value"]
    assert errors.between(0.05, 1).all()


def test_edges_required_and_modules_are_those_of_the_runs(
    given: Arguments, found: Study, runs: dict[str, Run]
) -> None:
    assert set(found.required["basis"]) == set(found.modules["basis"]) == set(LINEAR)
    for basis in LINEAR:
        run = runs[basis]
        rows = read_ablation(run)
        rows = rows[rows["kind"] == "edges_required"]
        own = found.required[(found.required["basis"] == basis)]
        assert own[own["kind"] == "section"]["edges"].tolist() == rows["edges"].tolist()
        for delta in DELTAS:
            some = own[own["delta"] == delta]
            sections, whole = some[some["kind"] == "section"], some[some["kind"] == "all"]
            assert (some["score"] <= some["baseline"] * (1 + delta)).all()
            assert whole["pairs"].item() == sections["pairs"].sum()
            assert 0 < whole["edges"].item() <= whole["pairs"].item()
        graph = queries.open_graph(given["out"] / "lib-graph.kgl", run.id)
        modules = found.modules[found.modules["basis"] == basis]
        assert set(modules["weights"]) == {"sqrt", "log"}
        for row in modules.itertuples():
            table = graph.module_table(weights=row.weights, resolutions=[1.0], seeds=2, null=2)
            assert row.modularity == table.frame["modularity"].item()
            assert row.null_mean == table.frame["null_mean"].item()


def test_modules_are_held_against_heads_and_positions(
    given: Arguments, found: Study, runs: dict[str, Run], opened: dict[str, Reopened]
) -> None:
    """With the partition that the graph gives, and all pairs of features counted one by one."""
    assert set(found.agreement["basis"]) == set(LINEAR)
    parts = feature_parts(opened["pca"])
    graph = queries.open_graph(given["out"] / "lib-graph.kgl", runs["pca"].id)
    module = graph.communities(weights="sqrt").membership()
    own = found.agreement.query("basis == 'pca' and weights == 'sqrt'").set_index("structure")
    assert list(own.index) == ["heads", "positions"]
    for structure in own.index:
        rows = parts[parts["structure"] == structure]
        ids = [f"{runs['pca'].id}/{row.layer}/{row.index}" for row in rows.itertuples(index=False)]
        label = list(zip(rows["attention"], rows["part"], strict=True))
        expected = rand_index([module[x] for x in ids], label)
        assert own["features"][structure] == len(ids)
        assert own["ari"][structure] == pytest.approx(expected)


def rand_index(one: list[Any], other: list[Any]) -> float:
    pairs = [(a, b) for a in range(len(one)) for b in range(a)]
    same = [[x[a] == x[b] for a, b in pairs] for x in (one, other)]
    both = sum(x and y for x, y in zip(*same, strict=True))
    first, second = map(sum, same)
    mean = first * second / len(pairs)
    return (both - mean) / ((first + second) / 2 - mean)


def test_a_network_of_rounds_has_words_that_predict_its_features(found: Study) -> None:
    auc = found.predicted[found.predicted["measure"] == "auc"]
    assert (auc["value"] > 0.7).all()
    assert set(auc["basis"]) == set(CASES)
    base, own = (value(auc, basis=basis) for basis in ("pca", "random 0"))
    beside = value(found.contrasts, basis="random 0", measure="auc")
    assert beside == pytest.approx(own - base, abs=1e-12)


@pytest.mark.parametrize("basis", ["pca", "dictionary-2 0"])
def test_shares_rebuilt_are_those_of_the_features_added_one_by_one(
    opened: dict[str, Reopened], runs: dict[str, Run], basis: str
) -> None:
    frame, own = pd.read_parquet(runs[basis].path / "rebuilt.parquet"), opened[basis]
    activations = own.network.run(*own.subject.inputs).activations
    for layer in own.network.layers[:-1]:
        f = activations[layer.index].detach().double().flatten(0, 1).numpy()
        space = own.bases[layer.name]
        features = space.coordinates(torch.tensor(f)[None])[0].numpy()
        first = np.argsort(-space.importance.numpy(), kind="stable")
        told = []
        for n in range(1, len(first) + 1):
            back = features[:, first[:n]] @ space.inverse.numpy()[first[:n]]
            rest = f - back - space.origin_at(torch.tensor(f)[None]).numpy()
            told.append(1 - (rest**2).sum() / ((f - f.mean(0)) ** 2).sum())
        rows = frame[frame["layer"] == layer.name]
        assert rows["features"].tolist() == list(range(1, len(first) + 1))
        assert rows["explained"].to_numpy() == pytest.approx(told, abs=1e-9)


@pytest.fixture(scope="module")
def few_rows(
    given: Arguments, runs: dict[str, Run], tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """The run in LIB again, its strengths those of as many sequences as a dictionary's."""
    subject = load_subject(given["models"][0], given["text"])
    options = Options(basis=runs["lib"].path, edge_samples=ROWS // 4)
    return build(subject, tmp_path_factory.mktemp("few") / "run", options)


def test_dictionaries_are_held_against_as_many_features_as_rebuild_as_much(
    found: Study, runs: dict[str, Run], few_rows: Run
) -> None:
    rows = found.rebuilt[found.rebuilt["dictionary"] == "dictionary-2 1"].set_index("basis")
    assert list(rows.index) == ["dictionary-2 1", *LINEAR]
    told = {
        name: pd.read_parquet(runs[name].path / "rebuilt.parquet")
        for name in ("lib", "dictionary-2 1")
    }
    whole = told["dictionary-2 1"].groupby("layer", sort=False)["explained"].last()
    counts = {}
    for layer, wanted in whole.items():
        own = told["lib"][told["lib"]["layer"] == layer]
        reached = own[own["explained"] >= wanted]["features"]
        counts[layer] = int(reached.min()) if len(reached) else int(own["features"].max())
    every = sources(runs["lib"], counts)
    lib, own = sources(few_rows, counts), sources(runs["dictionary-2 1"], {})
    assert rows["features"]["lib"] == np.mean(list(counts.values()))
    assert rows["features"]["dictionary-2 1"] == 16
    assert rows["explained"]["dictionary-2 1"] == pytest.approx(whole.mean())
    assert rows["sources_of_all"]["lib"] == pytest.approx(np.mean(every))
    assert rows["sources"]["lib"] == pytest.approx(np.mean(lib))
    assert rows["sources"]["dictionary-2 1"] == pytest.approx(np.mean(own))
    expected = np.exp(np.mean(np.log(np.array(own) / np.array(lib))))
    assert rows["ratio"]["lib"] == pytest.approx(expected)
    assert rows["ratio"]["dictionary-2 1"] == 1
    assert rows["low"]["lib"] < rows["high"]["lib"]


def test_a_draw_at_equal_reconstruction_is_of_the_same_sequences_repeated(
    found: Study, opened: dict[str, Reopened], runs: dict[str, Run]
) -> None:
    """All of the first draw, from the attributions of one sequence after the other."""
    own = opened["dictionary-2 0"]
    kept = pd.read_parquet(runs["dictionary-2 0"].path / "beside.parquet")
    chosen = torch.randperm(ROWS, generator=torch.Generator().manual_seed(0))[: ROWS // 4]
    counts = np.random.default_rng(0).multinomial(4, np.full(4, 1 / 4))
    section = own.network.sections[0]
    total = np.zeros((16, 16))
    for count, row in zip(counts, chosen.tolist(), strict=True):
        batch = own.network.run(own.subject.inputs[0][row : row + 1])
        total += count * by_jacobian(section, batch, own)
    shares = total / total.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(shares * np.log(shares), axis=0)
    expected = np.exp(entropy[total.sum(0) > 0]).mean()
    rows = kept[(kept["basis"] == "dictionary-2 0") & (kept["measure"] == "sources")]
    drawn = rows[(rows["draw"] == 1) & (rows["layer"] == section.source.name)]
    assert drawn["value"].item() == pytest.approx(expected, rel=1e-5)


def test_a_network_scores_no_better_on_what_dictionaries_rebuild(
    found: Study, runs: dict[str, Run]
) -> None:
    assert found.spliced["dictionary"].tolist() == [x for x in CASES if x not in LINEAR]
    (row, _) = found.spliced.to_dict("records")
    kept = pd.read_parquet(runs["dictionary-2 0"].path / "spliced.parquet")
    assert row["baseline"] == found.scores["score"].item() < min(kept["score"])
    assert row["one"] == pytest.approx(kept["score"][:-1].mean())
    assert row["worst"] == kept["score"][:-1].max()
    assert row["all"] == kept["score"].iloc[-1] > row["worst"]


def sources(run: Run, counts: dict[Any, int]) -> list[float]:
    """Effective sources of a target among the first features of each layer, by section."""
    first = {}
    for layer, own in run.features[run.features["role"] != "constant"].groupby("layer"):
        order = sorted(zip(-own["importance"], own["index"], strict=True))
        first[layer] = {index for _, index in order[: counts.get(layer)]}
    found: dict[str, list[float]] = {}
    for (source, target_layer, target), own in run.interactions.groupby(
        ["source_layer", "target_layer", "target"]
    ):
        if target in first[target_layer]:
            strengths = own[own["source"].isin(first[source])]["strength"].to_numpy()
            shares = strengths[strengths > 0] / strengths.sum()
            if len(shares):
                entropy = -(shares * np.log(shares)).sum()
                found.setdefault(source, []).append(float(np.exp(entropy)))
    return [float(np.mean(found[layer.name])) for layer in run.layers[:-1]]


def test_what_is_there_is_not_made_again(given: Arguments, found: Study) -> None:
    files = {path: path.stat().st_mtime_ns for path in given["out"].rglob("*.parquet")}
    assert {path.name for path in files} >= {"sparsity.parquet", "required.parquet",
                                             "rebuilt.parquet", "modules.parquet",
                                             "predicted.parquet", "beside.parquet",
                                             "agreement.parquet", "spliced.parquet"}  # fmt: skip
    said = Said()
    again = study(**given, progress=said)
    assert again.json_value() == found.json_value()
    assert {path: path.stat().st_mtime_ns for path in given["out"].rglob("*.parquet")} == files
    asked = [line for line in said.lines if line.startswith("[")]
    assert [line[:5] for line in asked] == [
        f"[{n}/5]" for n in (*[1] * 6, *[2, 3] * 6, *[2] * 2, *[4] * 4, *[5] * 4)
    ]
    assert "[2/5] Are the interactions sparser, and would one probe" in asked[6]


def test_edges_are_counted_anew_for_other_answers_not_for_another_way_to_say_as_many(
    given: Arguments, found: Study, tmp_path: Path
) -> None:
    shutil.copytree(given["out"] / "tiny-pca", tmp_path / "tiny-pca")
    run, subject = Run.open(tmp_path / "tiny-pca"), load_subject(given["models"][0], given["text"])
    path = run.path / "required.parquet"
    before = path.stat().st_mtime_ns
    budget = Budget(DELTAS, answers=57, draws=20)  # five rows, as 55 are
    required_edges(run, subject, budget, SILENT)
    assert path.stat().st_mtime_ns == before
    assert subject.evaluation is not None
    counted = torch.as_tensor(subject.evaluation.counted).clone()
    counted[:, 0] = False
    evaluation = replace(subject.evaluation, counted=counted)
    fewer = required_edges(
        run, replace(subject, evaluation=evaluation), Budget(DELTAS, answers=50, draws=20), SILENT
    )
    rows = evaluation.selected(torch.linspace(0, ROWS - 1, 5).round().long())
    expected = cross_entropy(replace(subject, evaluation=rows))
    assert fewer["baseline"].to_numpy() == pytest.approx(expected["score"], abs=1e-5)
    assert expected["score"] != pytest.approx(found.required["baseline"][0], abs=1e-3)


def test_modules_are_found_anew_where_masks_are_of_another_share(
    given: Arguments, found: Study, tmp_path: Path
) -> None:
    """The ε of logarithmic weights is that of the masks, which are of the first δ."""
    shutil.copytree(given["out"] / "tiny-lib", tmp_path / "tiny-lib")
    shutil.copytree(given["out"] / "tiny-pca", tmp_path / "tiny-pca")
    run = Run.open(tmp_path / "tiny-lib")
    before = smallest_kept(run)
    budget = Budget(DELTAS[::-1], answers=55, draws=20)
    again = study(**{**given, "out": tmp_path, "bases": ["pca", "lib"], "budget": budget})
    assert smallest_kept(run) != before
    log = again.modules.query("basis == 'lib' and weights == 'log'")
    graph = queries.open_graph(tmp_path / "lib-graph.kgl", run.id)
    table = graph.module_table(weights="log", resolutions=[1.0], seeds=2, null=2)
    assert log["modularity"].item() == table.frame["modularity"].item()
    assert log["modularity"].item() != (
        found.modules.query("basis == 'lib' and weights == 'log'")["modularity"].item()
    )


def test_results_are_written_with_pictures_and_read_again(tmp_path: Path, found: Study) -> None:
    write_study(found, tmp_path)
    for name in PICTURES:
        assert (tmp_path / f"{name}.svg").read_text().count("<path") > 5
    read = Study.of_json(json.loads((tmp_path / "results.json").read_text()))
    assert study_tables(read) == study_tables(found)
    lines = study_view(found).lines()
    assert lines[0].split()[:2] == ["network", "basis"]
    table = study_tables(found)["Edges required"].splitlines()
    assert len(table) == 2 + len(LINEAR) * len(DELTAS)
    assert table[2].startswith("| tiny | pca | 0.3 | ")
    shown = study_tables(found)["Sparsity against PCA"]
    assert "| dictionary-2 0 |" in shown
    assert "| dictionary-2 1 |" not in shown


def test_other_dictionaries_than_those_that_are_there_are_refused(
    given: Arguments, found: Study
) -> None:
    with pytest.raises(ConflictError, match=r"were trained with steps 60\. Take another --out"):
        study(**{**given, "lessons": Lessons(k=4, steps=61)})
