from __future__ import annotations

import dataclasses
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

import ingest
import queries
from ingest.store import GraphStore, open_store
from lib_graph.errors import UsageError
from lib_graph.run.circuit import Scores
from queries.pictures.circuit import SMALL, WIDEST, describe_saved, draw_circuit, plot_circuit
from queries.pictures.figures import PALETTE
from queries.pictures.layout import lay_out
from tests.loaded import load_once
from tests.queries.cli.test_reading import Cli
from tests.synthetic import random_run


@pytest.fixture
def graph(tmp_path: Path) -> queries.Graph:
    store = open_store(tmp_path / "graph.kgl")
    load_once(store, random_run(tmp_path / "run", (12, 9, 10, 4), density=1.0))
    return queries.open_graph(store)


def test_features_stand_apart_in_the_columns_of_their_layers(graph: queries.Graph) -> None:
    circuit = graph.circuit(target="layer/3", min_share=0.02)
    layout = lay_out(circuit, graph.communities().membership())
    assert layout.columns == ("layer.0", "layer/1", "layer.2", "layer/3")
    assert set(layout.nodes["id"]) == set(circuit.features["id"])
    for column, rows in layout.nodes.groupby("column"):
        assert set(rows["layer"]) == {layout.columns[column]}
        assert (rows["y"].sort_values().diff().dropna() > 1 - 1e-9).all()
        assert rows["y"].between(-1e-9, layout.height - 1 + 1e-9).all()


def test_a_module_stands_together(graph: queries.Graph) -> None:
    circuit = graph.circuit(target="layer/3", min_share=0.01)
    nodes = lay_out(circuit, graph.communities(resolution=2.0).membership()).nodes
    assert nodes["module"].nunique() > 2
    for _, rows in nodes.sort_values("y").groupby("column"):
        changes = (rows["module"] != rows["module"].shift()).sum()
        assert changes == rows["module"].nunique()


def test_without_crossings_there_are_none(graph: queries.Graph) -> None:
    """Three chains of features are drawn as three chains."""
    ids = {(i, j): f"r/l{i}/{j}" for i in range(3) for j in range(3)}
    features = pd.DataFrame(
        [(ids[i, j], f"l{i}", i, j, "feature", 1.0, 1.0, "") for i, j in ids],
        columns=list(graph.features().frame.columns),
    )
    pairs = [(ids[i, j], ids[i + 1, (j + 1 + i) % 3]) for i in range(2) for j in range(3)]
    interactions = pd.DataFrame(pairs, columns=["source", "target"]).assign(share=1.0)
    y = lay_out(queries.Circuit("r", {}, features, interactions), {}).nodes.set_index("id")["y"]
    for first, second in pairs:
        for third, fourth in pairs:
            if first.split("/")[1] == third.split("/")[1]:
                assert (y[first] - y[third]) * (y[second] - y[fourth]) >= 0


@pytest.mark.slow
def test_width_is_share_and_colour_is_module(graph: queries.Graph) -> None:
    circuit = graph.circuit(target="layer/3", min_share=0.1)
    communities = graph.communities()
    figure = draw_circuit(circuit, communities=communities)
    lines = figure.axes[0].collections[0]
    shares = circuit.interactions["share"].sort_values()
    assert list(lines.get_linewidth()) == pytest.approx([max(0.3, WIDEST * x) for x in shares])
    membership = communities.membership()
    boxes = [patch for patch in figure.axes[0].patches if hasattr(patch, "get_boxstyle")]
    ids = lay_out(circuit, membership).nodes["id"]
    colours: dict[int, set[tuple[float, ...]]] = {}
    for feature, box in zip(ids, boxes, strict=True):
        colours.setdefault(membership.get(feature, 0), set()).add(box.get_facecolor())
    assert all(len(found) == 1 for found in colours.values())
    assert 2 < len(colours) <= len(PALETTE) + 1
    assert len(set.union(*colours.values())) == len(colours)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1.0, -1.0, -1e-15])
def test_a_negative_effect_is_dashed_and_what_is_rounding_is_not(
    graph: queries.Graph, sign: float
) -> None:
    circuit = graph.circuit(target="layer/3", min_share=0.1)
    edges = circuit.interactions
    strongest = edges["share"].idxmax()
    edges = edges.assign(effect=edges["strength"] ** 0.5)
    edges.loc[strongest, "effect"] *= sign
    figure = draw_circuit(replace(circuit, interactions=edges))
    lines = figure.axes[0].collections[0].get_linestyles()
    dashed = [dashes is not None for _, dashes in lines]
    assert dashed == [False] * (len(edges) - 1) + [sign == -1.0]
    said = [text.get_text() for text in figure.axes[0].texts]
    assert ("dashed: negative mean effect" in said) == (sign == -1.0)


@pytest.mark.slow
def test_the_legend_names_modules_in_order_with_the_labels_that_are_drawn(
    graph: queries.Graph,
) -> None:
    circuit, communities = graph.circuit(target="layer/3"), graph.communities()
    figure = draw_circuit(circuit, communities=communities)
    texts = [text.get_text() for text in figure.axes[0].texts]
    found = [text for text in texts if text.startswith("module ")]
    membership = communities.membership()
    drawn = circuit.features.assign(module=circuit.features["id"].map(membership))
    numbers = sorted(drawn["module"].dropna().astype(int).unique())
    assert len(numbers) > 2
    assert len(found) == min(len(numbers), len(PALETTE))
    assert found == sorted(found)
    for text in found:
        number, _, names = text.removeprefix("module ").partition(": ")
        labels = set(drawn.loc[drawn["module"] == int(number), "label"])
        assert set(names.split(", ")) <= labels | {""}


@pytest.mark.slow
def test_the_picture_names_layers_features_and_labels(graph: queries.Graph) -> None:
    circuit = graph.circuit_of(graph.paths(k=5))
    figure = draw_circuit(circuit, communities=graph.communities(), title="What $leads to_it$")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"layer.0", "layer/1", "layer.2", "layer/3", "What $leads to_it$"} <= set(texts)
    for row in circuit.features.itertuples(index=False):
        assert f"{row[3]}  {row.label}" in texts


@pytest.mark.slow
def test_a_feature_has_the_number_of_its_module(graph: queries.Graph) -> None:
    circuit, communities = graph.circuit_of(graph.paths(k=5)), graph.communities()
    module = communities.membership()
    for found, expected in (
        (communities, [module[x] for x in circuit.features["id"] if x in module]),
        (None, []),
    ):
        texts = draw_circuit(circuit, communities=found).axes[0].texts
        small = [int(text.get_text()) for text in texts if text.get_fontsize() == SMALL]
        assert sorted(small) == sorted(expected)


@pytest.mark.slow
@pytest.mark.parametrize("layers", [2, 4, 12])
def test_names_of_layers_and_titles_have_room(tmp_path: Path, layers: int) -> None:
    ingest.load(random_run(tmp_path / "run", (3,) * layers), tmp_path / "graph.kgl")
    with queries.open_graph(tmp_path / "graph.kgl") as graph:
        circuit = graph.circuit_of(graph.paths(k=3))
    names = {
        name: f"model.layers.{i}.input_layernorm"
        for i, name in enumerate(circuit.features["layer"].unique())
    }
    features = circuit.features.assign(layer=circuit.features["layer"].map(names))
    title = "A title that says at length what is to be seen in the picture below, and in which run"
    figure = draw_circuit(dataclasses.replace(circuit, features=features), title=title)
    renderer = FigureCanvasAgg(figure).get_renderer()
    drawn = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
    assert all(figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1 for box in drawn)
    heads = [text for text in figure.axes[0].texts if text.get_text() in names.values()]
    boxes = sorted((text.get_window_extent(renderer) for text in heads), key=lambda box: box.x0)
    assert len(boxes) == layers
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))


@pytest.mark.slow
def test_texts_fit_their_boxes_and_the_page(graph: queries.Graph) -> None:
    figure = draw_circuit(graph.circuit(target="layer/3"), communities=graph.communities())
    renderer = FigureCanvasAgg(figure).get_renderer()
    axes = figure.axes[0]
    boxes = [patch for patch in axes.patches if hasattr(patch, "get_boxstyle")]
    inside = [text for text in axes.texts if text.get_zorder() == 3 and "label" in text.get_text()]
    inside = inside[: len(boxes)]
    page = figure.bbox
    for box, text in zip(boxes, inside, strict=True):
        frame, words = box.get_window_extent(renderer), text.get_window_extent(renderer)
        assert frame.x0 <= words.x0 < words.x1 <= frame.x1
    for text in filter(Text.get_text, axes.texts):
        words = text.get_window_extent(renderer)
        assert page.x0 <= words.x0 < words.x1 <= page.x1
        assert page.y0 <= words.y0 < words.y1 <= page.y1


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_the_suffix_says_the_format_and_the_same_circuit_gives_the_same_file(
    graph: queries.Graph, tmp_path: Path, suffix: str, start: bytes
) -> None:
    circuit = graph.circuit_of(graph.paths(k=3))
    files = [tmp_path / f"{name}.{suffix}" for name in "ab"]
    for file in files:
        plot_circuit(circuit, file, title="A title")
    assert files[0].read_bytes().startswith(start)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_what_cannot_be_drawn_is_a_clear_error(graph: queries.Graph, tmp_path: Path) -> None:
    empty = graph.circuit(target="layer/3", min_share=1.0)
    with pytest.raises(UsageError, match="nothing to draw"):
        plot_circuit(empty, tmp_path / "empty.png")
    with pytest.raises(UsageError, match=r"\.png, \.svg or \.pdf"):
        plot_circuit(empty, tmp_path / "empty.gif")
    assert list(tmp_path.glob("empty*")) == []


@pytest.mark.slow
@pytest.mark.parametrize("what", ["paths", "circuit", "interactions"])
def test_the_verb_draws_a_circuit_paths_and_interactions(
    store: GraphStore, store_target: str, cli: Cli, tmp_path: Path, what: str
) -> None:
    load_once(store, random_run(tmp_path / "run"))
    out = tmp_path / f"{what}.svg"
    answer = cli(
        "plot", out, "--of", what, "--target", "layer/3/1", "-n", 6, "--store", store_target
    )
    assert answer.code == 0
    assert out.read_bytes().startswith(b"<?xml")
    graph = queries.open_graph(store)
    expected = {
        "paths": lambda: graph.circuit_of(graph.paths(target="layer/3/1", k=6)),
        "circuit": lambda: graph.circuit(target="layer/3/1"),
        "interactions": lambda: graph.circuit_of(graph.interactions(target="layer/3/1", limit=6)),
    }[what]()
    assert f"{len(expected.features)} features, {len(expected)} interactions" in answer.err


@pytest.mark.slow
def test_the_verb_draws_a_saved_circuit(cli: Cli, tmp_path: Path) -> None:
    store, out = str(tmp_path / "graph.kgl"), tmp_path / "five.svg"
    ingest.load(random_run(tmp_path / "run"), store)
    with queries.open_graph(store) as graph:
        circuit = graph.circuits.save(graph.circuit(target="layer/3/1"), "five")
        arguments = ("plot", out, "--of", "circuit", "--saved", "five", "--store", store)
        answer = cli(*arguments)
        size = f"{len(circuit.features)} features, {len(circuit)} interactions"
        assert (answer.code, size in answer.err) == (0, True)
        assert describe_saved(circuit) == f"five: {len(circuit)} interactions, not tested"
        tested = dataclasses.replace(circuit, scores=Scores(0.5, 0.9, 0.1, "accuracy"))
    assert describe_saved(tested) == (
        f"five: {len(circuit)} interactions, accuracy 0.5 (whole network 0.9, random circuits of "
        "this size 0.1)"
    )
    for more in (("--of", "paths"), ("--of", "modules")):
        answer = cli(*arguments, *more)
        assert (answer.code, "--saved goes with --of circuit" in answer.err) == (2, True)
    answer = cli(*arguments, "-n", 30, "--min-share", 0.1)
    assert (answer.code, "without --limit and --min-share." in answer.err) == (2, True)
    answer = cli(*arguments, "--target", "layer/3/1")
    assert (answer.code, "as it is, without --target." in answer.err) == (2, True)
    answer = cli(*arguments[:-3], "fife", "--store", store)
    assert (answer.code, "Closest: 'five'" in answer.err) == (2, True)
