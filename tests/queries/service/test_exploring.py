"""Exploring on the page: filters, blocks, another run below, an input over the average, a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page

import queries
from lib_graph.run.histograms import read_histogram
from tests.browsers import browser
from tests.queries.service.sites import Site, count_line, first, opened, place, serving, watched
from tests.synthetic import random_histograms, random_run

__all__ = ["browser"]
pytestmark = pytest.mark.slow

LINKS = """() => window.page.graph.links.map(each => ({
  from: each.from.id, to: each.to.id, strength: each.strength, share: each.share,
  members: [each.from, each.to].map(node => node.members?.map(x => x.id) ?? [node.id]) }))"""

BLOCKS = """() => [...window.page.graph.nodes.values()].filter(each => each.members)
  .map(each => each.members.map(x => x.id))"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A run, and one of a single input over the same features."""
    folder = tmp_path_factory.mktemp("exploring")
    run = random_run(folder / "run", (12, 9, 10, 4), seed=7)
    run.label("layer/1", 2, "edge <detector>")
    random_histograms(run)
    trace = random_run(folder / "trace", (12, 9, 10, 4), seed=8, name="input 3", base=run.id)
    with serving(folder, [run, trace]) as served:
        yield served


@pytest.fixture
def page(browser, site: Site) -> Iterator[Page]:
    with watched(browser, site.where) as shown:
        yield shown


def nodes(page: Page) -> set[str]:
    return set(page.evaluate("[...window.page.graph.nodes.keys()]"))


def until(page: Page, holds: str) -> None:
    """Wait until an expression holds; the page's policy lets no text run by itself."""
    for _ in range(200):
        if page.evaluate(holds):
            return
        page.wait_for_timeout(50)
    raise AssertionError(holds)


def lit(page: Page) -> set[str]:
    return set(page.evaluate("[...window.page.look().lit.nodes]"))


def members(site: Site, module: int) -> set[str]:
    """Return the features of a module that the page shows at first."""
    frame = site.graph.communities().features
    shown = set(site.graph.overview().features["id"])
    return set(frame["id"][frame["community"] == module]) & shown


def test_a_short_name_in_the_address_lights_a_feature_and_what_is_beside_it(page, site):
    feature = first(site).partition("/")[2]
    opened(page, f"{site.where}#selected={feature}&pins=[%22{feature}%22]")
    assert page.text_content("#feature h2").startswith(feature)
    rows = site.graph.overview().interactions
    whole = f"{site.run.id}/{feature}"
    beside = {*rows["source"][rows["target"] == whole], *rows["target"][rows["source"] == whole]}
    assert lit(page) == {whole, *beside}
    assert page.text_content("#pin") == "Unpin"


def test_filters_leave_out_features_and_say_so(page, site):
    found = site.graph.overview()
    page.click("#filter summary")
    page.select_option("#layer", "layer/1")
    page.wait_for_selector("#counts:has-text('pass the filter')")
    ids = set(found.features["id"][found.features["layer"] == "layer/1"])
    assert nodes(page) == ids
    assert page.text_content("#counts").startswith(f"showing {len(ids)} of ")
    page.check("#labelled")
    labelled = {*found.features["id"][found.features["label"] != ""]} & ids
    page.wait_for_selector(f"#counts:has-text('showing {len(labelled)} of')")
    assert nodes(page) == labelled
    page.click("#unfilter")
    page.fill("#degree", "4")
    page.press("#degree", "Enter")
    page.wait_for_selector("#counts:has-text('pass the filter')")
    ends = pd.concat([found.interactions["source"], found.interactions["target"]]).value_counts()
    assert nodes(page) == set(ends.index[ends >= 4])
    page.keyboard.press("Escape")
    page.click("#unfilter")
    page.wait_for_selector(f"#counts:has-text('{count_line(site, 0.8)}')")


def test_a_folded_module_is_a_block_in_each_layer_with_sums_as_strengths(page, site):
    page.click("[data-tab=modules]")
    page.click("[data-module='1'] .fold")
    page.wait_for_selector("#unfold")
    blocks = page.evaluate(BLOCKS)
    assert {feature for block in blocks for feature in block} == members(site, 1)
    assert len(blocks) == len({feature.rpartition("/")[0] for block in blocks for feature in block})
    rows = site.graph.overview().interactions
    totals = (rows["strength"] / rows["share"]).groupby(rows["target"]).first()
    links = page.evaluate(LINKS)
    assert sum(link["strength"] for link in links) == pytest.approx(rows["strength"].sum())
    for link in links:
        sources, targets = link["members"]
        part = rows[rows["source"].isin(sources) & rows["target"].isin(targets)]
        assert link["strength"] == pytest.approx(part["strength"].sum())
        inflow = totals[[x for x in targets if x in totals.index]].sum()
        assert link["share"] == pytest.approx(part["strength"].sum() / inflow)
    assert page.text_content("#counts").startswith(count_line(site, 0.8))
    with page.expect_download() as download:
        page.click("#svg")
    assert Path(download.value.path()).read_text().count('class="block"') == len(blocks)
    page.mouse.click(*place_of_block(page))
    page.wait_for_selector("#unfold-block")
    assert page.locator("#feature .members li").count() in map(len, blocks)
    page.click("#unfold-block")
    until(page, "![...window.page.graph.nodes.values()].some(x => x.members)")
    page.keyboard.press("z")
    until(page, "[...window.page.graph.nodes.values()].some(x => x.members)")


def place_of_block(page: Page) -> tuple[float, float]:
    x, y = page.evaluate(
        """() => { const at = [...window.page.graph.nodes.values()].find(x => x.members);
        const box = document.getElementById("drawing").getBoundingClientRect();
        return [box.left + at.x, box.top + at.y]; }"""
    )
    return x, y


def test_a_click_on_a_layers_name_folds_it_and_g_folds_a_module(page, site):
    box = page.locator("#drawing").bounding_box()
    page.mouse.click(box["x"] + 20, box["y"] + 12)
    until(page, "window.page.graph.columns[0].shown.length === 1")
    page.keyboard.press("z")
    until(page, "window.page.graph.columns[0].shown.length > 1")
    feature = sorted(members(site, 2))[0]
    page.mouse.click(*place(page, feature))
    page.wait_for_selector("#outputs")
    page.keyboard.press("g")
    until(page, "[...window.page.graph.nodes.values()].some(x => x.module === 2)")
    assert not nodes(page) & members(site, 2)


def test_the_resolution_of_modules_is_chosen(page, site):
    page.click("[data-tab=modules]")
    page.select_option("#resolution", "4")
    found = site.graph.communities(resolution=4.0)
    page.wait_for_selector(f"#modules p:has-text('{len(found)} modules by')")
    assert page.locator("#modules [data-module]").count() == len(found)


def test_tabs_follow_the_arrow_keys_and_name_their_panels(page):
    page.focus("[data-tab=feature]")
    for name in ("paths", "modules"):
        page.keyboard.press("ArrowRight")
        page.wait_for_selector(f"#{name}:not([hidden])")
        panel = page.get_by_role("tabpanel", name=name.title())
        assert panel.get_attribute("id") == name
    assert page.evaluate("document.activeElement.id") == "tab-modules"


def test_two_runs_side_by_side_with_lines_between_what_is_alike(page, site):
    trace = next(x for x in site.graph.runs().records() if x["name"] == "input 3")
    page.click("[data-tab=runs]")
    page.select_option("#other", trace["id"])
    page.wait_for_selector("#counts:has-text('Below it input 3')")
    assert page.text_content("#counts").startswith(count_line(site, 0.8))
    rows = page.evaluate("[...window.page.graph.features.values()].map(x => [x.id, x.row, x.y])")
    heights = [[y for _, row, y in rows if row == which] for which in (0, 1)]
    assert max(heights[0]) < min(heights[1])
    with page.expect_download() as download:
        page.click("#svg")
    both = [{x.partition("/")[2] for x, row, _ in rows if row == which} for which in (0, 1)]
    drawn = Path(download.value.path()).read_text().count('class="match"')
    assert drawn == len(both[0] & both[1]) > 0
    below = next(x for x, row, _ in rows if row == 1)
    page.mouse.click(*place(page, below))
    page.wait_for_selector("#feature h2")
    assert f"id {below}" in page.text_content("#feature")
    assert below in lit(page)


def test_what_one_input_uses_that_the_average_does_not(page, site):
    trace = next(x for x in site.graph.runs().records() if x["name"] == "input 3")
    opened(page, f"{site.where}#run={trace['id']}&tab=runs")
    page.wait_for_selector("#unusual tbody tr")
    with queries.open_graph(site.graph.store, trace["id"]) as graph:
        found = graph.unusual(limit=30).frame
    names = [
        x.split(" · ")[0].split(" → ")[0]
        for x in page.locator("#unusual td button").all_text_contents()
    ]
    assert names == [x.partition("/")[2] for x in found["source"]]
    assert lit(page) == {*found["source"], *found["target"]}


def test_the_view_is_saved_as_one_file(page, site, browser, tmp_path):
    feature = first(site)
    opened(page, f"{site.where}#share=50&selected={feature}")
    with page.expect_download() as download:
        page.click("#html")
    file = tmp_path / "view.html"
    download.value.save_as(file)
    context = browser.new_context()
    saved, asked = context.new_page(), []
    saved.on("request", lambda x: asked.append(x.url) if x.url.startswith("http") else None)
    opened(saved, file.as_uri())
    assert saved.text_content("#counts").startswith(count_line(site, 0.5))
    assert lit(saved) == lit(page)
    assert saved.text_content("#feature h2") == page.text_content("#feature h2")
    layer, _, index = feature.partition("/")[2].rpartition("/")
    counts = read_histogram(site.run, layer, int(index)).counts
    bars = saved.eval_on_selector_all("#histogram rect", "all => all.map(x => +x.dataset.count)")
    assert bars == [count for count in counts if count]
    context.close()
    assert asked == []
