"""Pictures of a whole run: what they show is what the store holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

import ingest
import queries
from lib_graph.errors import UsageError
from queries.pictures.charts import DECADES, draw_importances, draw_modules, draw_strengths
from queries.pictures.figures import NONE, OTHER, PALETTE, module_colours
from tests.synthetic import random_run

WIDTHS = (12, 9, 10, 4)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> queries.Graph:
    folder = tmp_path_factory.mktemp("charts")
    ingest.load(random_run(folder / "run", WIDTHS, density=0.8), folder / "graph.kgl")
    return queries.open_graph(folder / "graph.kgl")


@pytest.fixture(scope="module")
def communities(graph: queries.Graph) -> queries.Communities:
    return graph.communities(resolution=1.5)


def test_each_layer_has_a_line_of_its_falling_importances(graph: queries.Graph) -> None:
    features = graph.features().frame
    lines = draw_importances(features).axes[0].get_lines()
    known = features[features["importance"].notna()]
    assert [line.get_label() for line in lines] == list(known["layer"].unique())
    for line in lines:
        values = known.loc[known["layer"] == line.get_label(), "importance"].sort_values()[::-1]
        assert list(line.get_xdata()) == list(range(1, len(values) + 1))
        assert line.get_ydata() == pytest.approx((values / values.max()).to_numpy())


def test_a_run_without_importances_has_no_spectrum(graph: queries.Graph) -> None:
    with pytest.raises(UsageError, match="has an importance"):
        draw_importances(graph.features().frame.assign(importance=np.nan))


@pytest.mark.parametrize(("resolution", "alone"), [(1.5, False), (6.0, True)])
def test_keys_are_coloured_by_module(graph: queries.Graph, resolution: float, alone: bool) -> None:
    communities = graph.communities(resolution=resolution)
    axes = draw_modules(communities, limit=5).axes[0]
    table = communities.features
    order = table.sort_values(["layer_index", "importance"], ascending=[True, False])
    shown = order.groupby("layer_index").head(5)
    size = {each.index: each.size for each in communities.communities}
    shown = shown.assign(module=[n if size[n] > 1 else 0 for n in shown["community"]])
    assert alone == (0 in set(shown["module"]))
    colours = module_colours(shown["module"])
    found = {
        (round(key.get_x() - 0.06), round(key.get_y())): to_hex(key.get_facecolor()).upper()
        for key in axes.patches
        if isinstance(key, Rectangle)
    }
    expected = {
        (row["layer_index"], i % 5): colours[row["module"]].upper()
        for i, row in enumerate(shown.to_dict("records"))
    }
    assert found == expected
    assert [label.get_text() for label in axes.get_xticklabels()] == list(shown["layer"].unique())
    numbers = sorted(int(text.get_text()) for text in axes.texts)
    assert numbers == sorted(module for module in shown["module"] if module)


def test_a_map_shows_each_strength_at_its_features(
    graph: queries.Graph, communities: queries.Communities
) -> None:
    sections = [section.frame for section in graph.sections()]
    axes = draw_strengths(communities, sections).axes[:2]
    shown = communities.features.sort_values(
        ["layer_index", "community", "importance"], ascending=[True, True, False]
    )
    layers = [list(rows["id"]) for _, rows in shown.groupby("layer_index")]
    for place, section in enumerate(sections[:2]):
        strengths = section.set_index(["source", "target"])["strength"]
        table = pd.DataFrame(
            [[strengths.get((s, t), 0.0) for s in layers[place]] for t in layers[place + 1]]
        )
        levels = np.log10(np.maximum(table / table.max().max(), 10.0**-DECADES))
        (image,) = axes[place].images
        assert np.allclose(image.get_array(), levels)


def test_maps_name_the_modules_and_leave_out_what_nothing_connects(
    graph: queries.Graph, communities: queries.Communities
) -> None:
    section = next(graph.sections()).frame
    some = section[section["target"].isin(section["target"].unique()[:3])]
    (axes, _) = draw_strengths(communities, [some]).axes
    module = communities.membership()
    ends = [{end for end in some[side] if end in module} for side in ("target", "source")]
    assert axes.images[0].get_array().shape == tuple(map(len, ends))
    for axis, ids in zip((axes.yaxis, axes.xaxis), ends, strict=True):
        names = [label.get_text() for label in axis.get_ticklabels()]
        assert names == [str(number) for number in sorted({module[x] for x in ids})]


def test_sections_that_show_nothing_are_left_out(communities: queries.Communities) -> None:
    empty = pd.DataFrame({"source": [], "target": [], "strength": []})
    with pytest.raises(UsageError, match="nothing to draw"):
        draw_strengths(communities, [empty])


def test_a_module_has_one_colour_whatever_else_is_in_the_picture() -> None:
    colours = module_colours(range(9))
    assert [colours[1 + i] for i in range(len(PALETTE))] == list(PALETTE)
    assert colours[7] == colours[8] == OTHER
    assert colours[0] == NONE
    for some in ([8, 3, 3, 3, 1], [5], [0, 2, 6, 6]):
        assert module_colours(some) == {module: colours[module] for module in {*some, 0}}


@pytest.mark.slow
@pytest.mark.sampled
@pytest.mark.parametrize("what", ["importances", "modules", "strengths"])
@pytest.mark.parametrize("suffix", ["svg", "pdf"])
def test_the_verb_writes_each(
    tmp_path: Path, graph: queries.Graph, cli: object, what: str, suffix: str
) -> None:
    file = tmp_path / f"chart.{suffix}"
    answer = cli("plot", file, "--of", what, "--store", graph.store.name)  # type: ignore[operator]
    assert (answer.code, answer.out) == (0, "")
    assert file.read_bytes()[:5] in (b"<?xml", b"%PDF-")


def test_no_feature_of_a_layer_is_too_few(communities: queries.Communities) -> None:
    with pytest.raises(UsageError, match="limit is 0"):
        draw_modules(communities, limit=0)
