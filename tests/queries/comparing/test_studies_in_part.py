"""A study of some features and layers of a network, against the study of all, and brute force."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch

import ingest
import queries
from lib_graph.analysis.measuring.predicting import TokenPredictor
from lib_graph.analysis.measuring.study import cross_entropy
from lib_graph.analysis.reopening import reopened_network
from lib_graph.errors import ConflictError, NotFoundError, UsageError
from lib_graph.networks import load_subject
from lib_graph.run import Run
from queries.comparing.language_models import Extent, Study, study
from queries.comparing.runs import compare_runs
from queries.views.study import study_tables, study_view
from tests.queries.comparing.studies import ROWS, Arguments, Said, by_jacobian, study_of_rounds

pytestmark = pytest.mark.slow

TOP, SOME = 3, 5
PART = Extent(("ln2.0", "ln_final", "output"), TOP, SOME)
BASES = ("pca", "lib", "dictionary-2 0")


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Arguments:
    given = study_of_rounds(tmp_path_factory.mktemp("study"))
    return {**given, "bases": ["pca", "lib", "dictionary-2"], "seeds": 1}


@pytest.fixture(scope="module")
def said() -> Said:
    """What `found` says while it is made."""
    return Said()


@pytest.fixture(scope="module")
def found(given: Arguments, said: Said) -> Study:
    """Of the first features of all layers, with strengths of all rows."""
    return study(**given, extent=Extent(top=TOP), progress=cast(Any, said))


@pytest.fixture(scope="module")
def part(given: Arguments) -> Study:
    """Of the first features of the last layers, with strengths of some rows."""
    return study(**{**given, "out": given["out"] / "part"}, extent=PART)


def run_in(folder: Path, basis: str) -> Run:
    return Run.open(folder / f"tiny-{basis.replace(' ', '-')}")


def values(frame: pd.DataFrame, basis: str, how: str = "exact") -> pd.Series[float]:
    own = frame[(frame["basis"] == basis) & (frame["how"] == how)]
    return own.set_index("measure")["value"]


@pytest.fixture(scope="module")
def whole(given: Arguments, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """The runs with all features, as a study of everything has them."""
    from lib_graph.building.build import build
    from lib_graph.building.options import Options

    subject, out = load_subject(given["models"][0], given["text"]), tmp_path_factory.mktemp("whole")
    return {x: build(subject, out / x, Options(basis=x), name=x) for x in ("pca", "lib")}


def test_sparsity_is_that_of_the_whole_graph_among_the_first_features(
    found: Study, whole: dict[str, Run], tmp_path: Path
) -> None:
    for run in whole.values():
        ingest.load(run, tmp_path / "graphs.kgl")
    graphs = [queries.open_graph(tmp_path / "graphs.kgl", run.id) for run in whole.values()]
    layers = compare_runs(graphs, null=0, top=TOP).layers
    layers = layers[layers["layer"].isin(["ln1.0", "ln2.0"])]  # not from the last norm into answers
    for basis, run in whole.items():
        own, shown = layers[layers["run"] == run.id], values(found.sparsity, basis)
        assert len(own) == 2
        for measure in ("for_90", "for_99", "gini", "hoyer", "effective", "sources"):
            assert shown[measure] == pytest.approx(own[measure].astype(float).mean(), rel=1e-4)
    base, lib = (layers[layers["run"] == run.id]["sources"].to_numpy() for run in whole.values())
    ratio = values(found.contrasts, "lib")["sources"]
    assert ratio == pytest.approx(np.exp(np.log(lib / base).mean()), rel=1e-4)
    assert 0.05 < values(found.sparsity, "pca")["error"] < 1


def test_questions_are_counted_that_are_asked(found: Study, said: Said) -> None:
    asked = {line.partition("]")[0] for line in said.lines if line.startswith("[")}
    assert asked == {"[1/3", "[2/3", "[3/3"}


def test_words_are_asked_of_the_first_features(
    given: Arguments, found: Study, whole: dict[str, Run]
) -> None:
    subject = load_subject(given["models"][0], given["text"])
    predictor = TokenPredictor.of(subject.inputs[0])
    for basis, run in whole.items():
        opened, means = reopened_network(run, subject), []
        activations = opened.network.run(*subject.inputs).activations
        for layer, own in zip(opened.network.layers[:-1], activations, strict=False):
            space = opened.bases[layer.name]
            first = np.argsort(-space.importance.numpy(), kind="stable")[:TOP]
            features = space.coordinates(own)[..., np.sort(first)].float()
            auc = predictor.predicted(features, np.ones((1, ROWS))).auc
            means.append(np.nanmean(auc))
        assert values(found.predicted, basis)["auc"] == pytest.approx(np.mean(means), abs=1e-6)


@pytest.mark.parametrize("basis", BASES)
def test_strengths_of_some_rows_are_those_of_brute_force(
    given: Arguments, part: Study, basis: str
) -> None:
    subject = PART.cut(load_subject(given["models"][0], given["text"]))
    own = reopened_network(run_in(given["out"] / "part", basis), subject)
    chosen = torch.randperm(ROWS, generator=torch.Generator().manual_seed(0))[:SOME]
    section, total = own.network.sections[0], 0.0
    for row in chosen.tolist():
        batch = own.network.run(subject.inputs[0][row : row + 1])
        total = total + by_jacobian(section, batch, own)
    source, target = (
        np.argsort(-own.bases[name].importance.numpy(), kind="stable")[:TOP]
        for name in ("ln2.0", "ln_final")
    )
    strengths = np.asarray(total)[source][:, target]
    shares = strengths / strengths.sum(0)
    effective = np.exp(-np.where(shares > 0, shares * np.log(np.maximum(shares, 1e-300)), 0).sum(0))
    shown = values(part.sparsity, basis)
    assert shown["sources"] == pytest.approx(effective[strengths.sum(0) > 0].mean(), rel=1e-5)
    every = strengths.sum() / np.sqrt((strengths**2).sum())
    assert shown["hoyer"] == pytest.approx((TOP - every) / (TOP - 1), rel=1e-5)


def test_bases_of_the_last_layers_are_those_of_the_whole(
    given: Arguments, part: Study, whole: dict[str, Run]
) -> None:
    for basis, run in whole.items():
        some = run_in(given["out"] / "part", basis).features
        every = run.features[run.features["layer"].isin(["ln2.0", "ln_final"])]
        some = some[some["layer"] != "output"]
        expected = pytest.approx(
            every["importance"].to_numpy(), nan_ok=True
        )  # of the constant, none
        assert some["importance"].to_numpy() == expected


def test_what_is_not_asked_is_said(given: Arguments, found: Study, part: Study) -> None:
    for frame in (found.required, found.modules, found.agreement, found.rebuilt, found.spliced):
        assert frame.empty
    (whole,), (some,) = found.scores.to_dict("records"), part.scores.to_dict("records")
    assert [whole[name] for name in ("sections", "features", "samples")] == [2, TOP, ROWS]
    assert [some[name] for name in ("sections", "features", "samples")] == [1, TOP, SOME]
    assert whole["left_out"] == some["left_out"] != "nothing"
    expected = cross_entropy(load_subject(given["models"][0], given["text"]))
    assert some["score"] == expected["score"]
    tables = study_tables(part)
    assert set(tables) == {
        "In short", "What is asked", "Sparsity, means over sections", "Sparsity against PCA",
        "Error of one probe", "Predicted by words",
    }  # fmt: skip
    assert tables["In short"].splitlines()[0] == "| network | basis | sources to PCA | AUC |"
    assert f"| 1 | {TOP} | {SOME} |" in tables["What is asked"]
    assert tables["What is asked"].endswith(
        "| edges required, modules, what dictionaries rebuild |"
    )
    assert "(--top)" in study_view(part).below
    out = given["out"] / "part"
    again = Study.of_json(json.loads((out / "results.json").read_text(encoding="utf-8")))
    assert study_tables(again) == tables
    assert {file.stem for file in out.glob("*.svg")} == {"sparsity", "probes"}


def test_what_was_built_in_part_is_not_taken_for_something_else(
    given: Arguments, found: Study, part: Study
) -> None:
    for out, extent in (
        (given["out"], Extent(top=TOP + 1)),
        (given["out"], Extent()),
        (given["out"] / "part", replace(PART, layers=("ln1.0", "ln2.0", "ln_final", "output"))),
        (given["out"] / "part", replace(PART, edge_samples=SOME + 1)),
        (given["out"] / "part", replace(PART, dtype="float32")),
    ):
        with pytest.raises(ConflictError):
            study(**{**given, "out": out}, extent=extent)


def test_parts_that_give_no_answer_are_one_line(given: Arguments, tmp_path: Path) -> None:
    given = {**given, "out": tmp_path}
    with pytest.raises(UsageError, match="top is 1"):
        Extent(top=1)
    with pytest.raises(UsageError, match=r"edge_samples is 4.* Add --top"):
        Extent(edge_samples=4)
    with pytest.raises(NotFoundError, match="float16"):
        Extent(dtype="float16")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"ln2.0, output are too few"):
        study(**given, extent=Extent(("ln2.0", "output"), top=TOP))
    with pytest.raises(UsageError, match=r"last layer is 'ln2.0'.* Add output"):
        study(**given, extent=Extent(("ln1.0", "ln2.0")))
    with pytest.raises(NotFoundError, match=r"ln9\.0"):
        study(**given, extent=Extent(("ln9.0", "ln2.0", "output"), top=TOP))
    assert not [*tmp_path.iterdir()]
