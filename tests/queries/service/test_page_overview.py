"""What the page tells of a whole run: the map, what the slider keeps; and what thins a view."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browsers import browser
from tests.queries.service.sites import Site, opened, serving, watched
from tests.synthetic import random_run

__all__ = ["browser"]
pytestmark = pytest.mark.slow

PIXEL = """([column, row, columns, rows]) => {
  const map = document.querySelector("#map canvas"), context = map.getContext("2d");
  const x = (map.width * (column + 0.5)) / columns, y = (map.height * (row + 0.5)) / rows;
  return [...context.getImageData(x, y, 1, 1).data]; }"""
SLICED = """async () => {
  const { slices, strokes } = await import("/strokes.js"), { graph } = window.page;
  const inks = { up: "#0072b2", down: "#d55e00", unknown: "#8a8a8a" };
  const ends = each => [...each.wide, ...[...each.fine.values()].flatMap(style => style.curves)]
    .map(each => each.from ? [each.from, each.to] : each).map(([a, b]) => `${a.id}>${b.id}`);
  return slices(graph.links, strokes(graph, "share", inks)).map(ends); }"""
COVERED = """async (pairs) => {
  window.page.graph.touch();
  const settled = window.page.draw(), canvas = document.getElementById("drawing");
  const inked = () => pairs.filter(pair => {
    const [a, b] = pair.split(">").map(id => window.page.graph.nodes.get(id));
    const x = Math.round((a.x + b.x) / 2), y = Math.round((a.y + b.y) / 2);
    const { data } = canvas.getContext("2d").getImageData(x - 1, y - 1, 3, 3);
    return data.some(each => each > 0);
  }).length;
  const before = inked();
  await settled;
  return [before, inked()]; }"""
BLOCKS = """() => [...window.page.graph.nodes.values()].filter(each => each.members)
  .map(each => each.members.map(x => x.id).sort())"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("overview")
    with serving(folder, [random_run(folder / "run", (10, 10, 10), seed=7)]) as served:
        yield served


@pytest.fixture
def page(browser, site: Site) -> Iterator[Page]:
    with watched(browser, f"{site.where}#share=30") as shown:
        yield shown


def test_the_map_has_every_feature_in_its_modules_colour(page, site):
    modules = site.graph.communities().features
    layers = [layer.name for layer in site.graph.layers]
    for column, layer in enumerate(layers):
        ids = list(modules["id"][modules["layer"] == layer])
        for row, feature in enumerate(ids):
            module = int(modules["community"][modules["id"] == feature].iloc[0])
            colour = page.evaluate(f"window.page.graph.colours[{module}]") if module else "#9a9a9a"
            red, green, blue, alpha = page.evaluate(PIXEL, [column, row, len(layers), len(ids)])
            wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
            assert [red, green, blue] == pytest.approx(wanted, abs=3)
            drawn = page.evaluate("id => window.page.graph.home.has(id)", feature)
            assert (alpha == 255) == drawn


def test_a_click_on_the_map_goes_to_a_feature_that_the_view_left_out(page, site):
    ids = list(site.graph.features(layer="layer/1").frame["id"])
    shown = set(page.evaluate("[...window.page.graph.nodes.keys()]"))
    missing = next(each for each in ids[1:] if each not in shown)
    rows = [each for each in site.graph.communities().features["id"] if "/layer/1/" in each]
    box = page.locator("#map canvas").bounding_box()
    at = (rows.index(missing) + 0.5) / len(rows)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * at)
    page.wait_for_selector(f"#feature h2:has-text('{missing.partition('/')[2]}')")
    assert page.evaluate("id => window.page.graph.home.has(id)", missing)


def test_the_slider_says_what_it_will_keep(page, site):
    page.evaluate("""() => { const slider = document.getElementById("share");
        slider.value = 60; slider.dispatchEvent(new Event("input")); }""")
    kept = len(site.graph.overview(share=0.6).interactions)
    assert page.text_content("#kept") == f"60 % · {kept}"


def test_a_column_says_how_much_of_what_its_layer_sends_out_is_hidden(page, site):
    rows = site.graph.interactions(limit=100_000).frame
    shown = site.graph.overview(share=0.3).interactions
    keys = set(shown["source"] + ">" + shown["target"])
    kept = rows["strength"].where((rows["source"] + ">" + rows["target"]).isin(keys), 0.0)
    layers = rows["source"].str.partition("/")[2].str.rpartition("/")[0]
    parts = 1 - kept.groupby(layers).sum() / rows["strength"].groupby(layers).sum()
    with page.expect_download() as download:
        page.click("#svg")
    text = Path(download.value.path()).read_text()
    names = [layer.name for layer in site.graph.layers]
    assert list(parts.index) == sorted(names[:-1])  # the last sends nothing on
    said = re.findall(r">(\d+)\u00a0% hidden<", text)
    assert said == [f"{100 * parts[name]:.0f}" for name in names[:-1]]
    assert all(0 < int(each) < 100 for each in said)


def test_modules_say_what_each_adds_to_q(page, site):
    page.click("[data-tab=modules]")
    page.wait_for_selector("#modules [data-module]")
    found = site.graph.communities()
    head = page.locator("#modules th").all_text_contents()
    cells = page.locator("#modules [data-module] td").all_text_contents()
    column = cells[head.index("of Q") :: len(head)]
    assert column == [f"{each.contribution:.3f}" for each in found.communities]


def test_the_strongest_inputs_of_each_feature(page, site):
    opened(page, f"{site.where}#share=100&top=2")
    rows = site.graph.overview(share=1.0).interactions
    best = rows.sort_values("strength", ascending=False).groupby("target").head(2)
    links = page.evaluate("window.page.graph.links.map(each => each.key)")
    assert sorted(links) == sorted(best["source"] + ">" + best["target"])
    assert "pass the filter" in page.text_content("#counts")


def test_a_pinned_set_is_grouped_into_a_block_in_each_layer(page, site):
    ids = list(site.graph.overview(share=0.3).interactions.iloc[0][["source", "target"]])
    rows = site.graph.overview(share=0.3).interactions
    ids.append(rows["source"][rows["source"].str.contains("/layer.0/")].iloc[-1])
    pins = ",".join(f"%22{each}%22" for each in ids)
    opened(page, f"{site.where}#share=30&tab=pinned&pins=[{pins}]")
    page.click("#group")
    page.wait_for_selector("#group[aria-pressed=true]")
    blocks = page.evaluate(BLOCKS)
    assert sorted(each for block in blocks for each in block) == sorted(set(ids))
    layers = [{each.rpartition("/")[0] for each in block} for block in blocks]
    assert all(len(each) == 1 for each in layers)
    page.click("#group")
    page.wait_for_selector("#group[aria-pressed=false]")
    assert page.evaluate(BLOCKS) == []


def test_many_interactions_are_drawn_a_slice_a_frame_the_strongest_first(browser, tmp_path):
    with (
        serving(tmp_path, [random_run(tmp_path / "run", (40, 40, 40), seed=3, density=1.0)]) as big,
        watched(browser, f"{big.where}#share=100") as page,
    ):
        found = page.evaluate(SLICED)
        assert len(found) > 1
        rows = big.graph.overview(share=1.0).interactions
        shares = dict(zip(rows["source"] + ">" + rows["target"], rows["share"], strict=True))
        assert sorted(pair for part in found for pair in part) == sorted(shares)
        for part, weaker in itertools.pairwise(found):
            least, most = min(map(shares.get, part)), max(map(shares.get, weaker))
            assert least >= most * (1 - 1e-6)
        before, after = page.evaluate(COVERED, found[-1])
        assert before < after == len(found[-1])
