"""Ablations in the store, and the picture of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import ingest
import queries
from ingest.store import GraphStore
from lib_graph.errors import UsageError
from lib_graph.run import Run
from queries.asking.ablations import Ablations
from queries.pictures.ablation import draw_ablations
from tests.ablated import BASELINE, OTHER, ablate
from tests.queries.cli.test_reading import Cli
from tests.synthetic import random_run

LAYERS = ["layer.0", "layer/1", "layer.2"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return random_run(tmp_path / "run")


@pytest.mark.slow
def test_a_store_has_the_ablations_of_the_folder(run: Run, store: GraphStore) -> None:
    ingest.load(run, store)
    graph = queries.open_graph(store)
    assert graph.ablations() is None
    written = ablate(run, metric="cross-entropy")
    assert ingest.load(run, store).outcome == "updated"
    assert ingest.load(run, store).outcome == "unchanged"
    found = graph.ablations()
    assert found is not None
    assert (found.run, found.metric) == (run.id, "cross-entropy")
    order = written["layer"].map({name: i for i, name in enumerate(LAYERS)})
    by_layer = written.iloc[order.argsort(kind="stable")].reset_index(drop=True)
    assert found.frame["layer"].dropna().unique().tolist() == LAYERS
    pd.testing.assert_frame_equal(
        found.frame.sort_values(list(found.frame), ignore_index=True),
        by_layer.sort_values(list(by_layer), ignore_index=True),
        check_dtype=False,
    )
    ablate(run)
    assert ingest.load(run, store).outcome == "updated"


@pytest.fixture
def ablations(run: Run, tmp_path: Path) -> Ablations:
    ablate(run)
    ingest.load(run, tmp_path / "graph.kgl")
    with queries.open_graph(tmp_path / "graph.kgl") as graph:
        found = graph.ablations()
    assert found is not None
    return found


@pytest.mark.slow
def test_each_layer_and_section_has_a_panel_with_a_line_a_basis(
    run: Run, ablations: Ablations
) -> None:
    panels = draw_ablations(ablations).axes
    words = [axes.get_xlabel().partition("\n") for axes in panels]
    assert [word[0] for word in words] == [
        *(f"features kept of {layer}" for layer in LAYERS),
        *(f"interactions kept out of {layer}" for layer in LAYERS),
    ]
    assert [word[2] for word in words] == [""] * 3 + ["required: lib 4, pca 3"] * 3
    for axes, (kind, counted), layer in zip(
        panels, [("node_curve", "nodes")] * 3 + [("edge_curve", "edges")] * 3, LAYERS * 2,
        strict=True,
    ):  # fmt: skip
        whole, *lines = axes.get_lines()
        assert set(whole.get_ydata()) == {BASELINE}
        for number, of in enumerate((run.id, OTHER)):
            rows = ablations.of_kind(kind)
            rows = rows[(rows["run"] == of) & (rows["layer"] == layer)]
            random, own = lines[2 * number : 2 * number + 2]
            for line, column in ((random, "random_score"), (own, "score")):
                assert list(line.get_xdata()) == rows[counted].tolist()
                assert list(line.get_ydata()) == rows[column].tolist()
        styles = [line.get_linestyle() for line in lines[1:4:2]]
        marks = [line.get_marker() for line in lines[1:4:2]]
        assert len(set(styles)) == len(set(marks)) == 2
        rings = [float(x) for line in lines[4:] for x in line.get_xdata()]
        assert rings == ([] if kind == "node_curve" else [4.0, 3.0])


@pytest.mark.slow
def test_runs_in_the_same_basis_are_called_by_their_ids_as_well(
    run: Run, ablations: Ablations
) -> None:
    same = type(ablations)(run.id, "accuracy", ablations.frame.assign(basis="lib"))
    texts = [text.get_text() for text in draw_ablations(same).legends[0].get_texts()]
    assert {f"lib {run.id}", f"lib {OTHER}"} <= set(texts)


def test_circuits_alone_give_no_picture(ablations: Ablations) -> None:
    circuits = ablations.of_kind("circuit")
    assert len(circuits) == 1
    with pytest.raises(UsageError, match="no curve to draw"):
        draw_ablations(type(ablations)(ablations.run, "accuracy", circuits))


@pytest.mark.slow
def test_the_verb_draws_them_or_says_how_to_make_them(run: Run, cli: Cli, tmp_path: Path) -> None:
    store, file = str(tmp_path / "graph.kgl"), tmp_path / "ablation.svg"
    ingest.load(run, store)
    answer = cli("plot", file, "--of", "ablation", "--store", store)
    assert answer.code == 2
    assert "lib-graph ablate" in answer.err
    assert not file.exists()
    ablate(run)
    ingest.load(run, store)
    answer = cli("plot", file, "--of", "ablation", "--store", store)
    assert answer.code == 0
    assert file.read_bytes().startswith(b"<?xml")
