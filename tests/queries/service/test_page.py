"""The page in a real browser, with the network blocked: what it shows is what the queries say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page

from queries.pictures.figures import module_colours
from tests.browsers import browser
from tests.queries.service.sites import Site, count_line, first, opened, place, serving, watched
from tests.synthetic import random_run

PATHS = 20
pytestmark = pytest.mark.slow
__all__ = ["browser"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("page")
    with serving(folder, [random_run(folder / "run", (12, 9, 10, 4), seed=7)]) as served:
        yield served


@pytest.fixture
def page(browser, site: Site) -> Iterator[Page]:
    with watched(browser, site.where) as shown:
        yield shown


@pytest.mark.parametrize("share", [80, 30, 100])
def test_the_counts_are_those_of_the_query_and_each_interaction_is_there_once(page, site, share):
    opened(page, f"{site.where}#share={share}")
    assert page.text_content("#counts").startswith(count_line(site, share / 100))
    found = site.graph.overview(share=share / 100).interactions
    ends = "[...window.page.graph.interactions.values()].map(each => [each.source, each.target])"
    pairs = page.evaluate(ends)
    assert sorted(map(tuple, pairs)) == sorted(zip(found["source"], found["target"], strict=True))


def test_the_slider_asks_for_another_share(page, site):
    page.focus("#share")
    page.keyboard.press("Home")
    page.wait_for_selector("#counts:has-text('showing 0 of')")
    assert page.text_content("#empty:visible").startswith("No interaction is kept.")
    page.keyboard.press("End")
    page.wait_for_selector(f"#counts:has-text('{count_line(site, 1.0)}')")
    assert page.is_hidden("#empty")


def test_hovering_names_a_feature_and_its_neighbours(page, site):
    feature = first(site)
    page.mouse.move(*place(page, feature))
    page.wait_for_selector("#tip:not([hidden])")
    rows = site.graph.overview().interactions
    ends = {*rows["source"][rows["target"] == feature], *rows["target"][rows["source"] == feature]}
    text = page.text_content("#tip")
    assert text.startswith(feature.partition("/")[2])
    assert text.endswith(f"{len(ends)} neighbours shown")
    page.mouse.move(5, 5)
    page.wait_for_selector("#tip", state="hidden")


def test_a_click_shows_inputs_and_outputs(page, site):
    feature = first(site)
    page.mouse.click(*place(page, feature))
    page.wait_for_selector("#outputs")
    assert page.text_content("#feature h2").startswith(feature.partition("/")[2])
    for table, end, other in (("inputs", "target", "source"), ("outputs", "source", "target")):
        rows = site.graph.interactions(**{end: feature}, limit=25).frame
        shown = page.locator(f"#{table} tbody tr td:first-child").all_text_contents()
        names = [each.partition(" · ")[0] for each in shown]
        assert names == [each.partition("/")[2] for each in rows[other]]


def test_search_finds_what_the_command_lists(page, site):
    page.keyboard.press("/")
    page.keyboard.type("layer.2 /1")
    page.wait_for_selector("#found:not([hidden]) button")
    frame = site.graph.features(sort="importance").frame
    ids = [x for x in frame["id"] if "layer.2" in x and "/1" in x]
    shown = [x.split()[0] for x in page.locator("#found button").all_text_contents()]
    assert shown == [x.partition("/")[2] for x in ids]
    page.locator("#found button").nth(1).click()
    page.wait_for_selector("#feature h2")
    assert page.text_content("#feature h2").startswith(shown[1])


def test_paths_between_two_places_with_their_cypher(page, site):
    page.click("[data-tab=paths]")
    page.fill("#target", "layer/3/1")
    page.click("#find")
    page.wait_for_selector("#ways li")
    found = site.graph.paths(target="layer/3/1", k=PATHS)
    assert page.locator("#ways li").count() == len(found)
    assert page.text_content("#ways pre") == "\n\n".join(x.for_browser() for x in found.statements)
    lit = page.evaluate("[...window.page.lit.features]")
    assert set(lit) == {feature for each in found.paths for feature in each.path}
    effects = {
        (link.source, link.target): link.effect
        for link in site.graph.circuit_of(found).interactions.itertuples()
    }
    signs = {
        "".join("+" if effects[step] > 0 else "\N{MINUS SIGN}" for step in pairwise(each.path))
        for each in found.paths
    }
    shares = [text.split("shares ")[1] for text in page.locator("#ways li").all_text_contents()]
    assert {re.sub("[^+\N{MINUS SIGN}]", "", text) for text in shares} == signs
    assert {sign for each in signs for sign in each} == {"+", "\N{MINUS SIGN}"}


def test_a_pinned_set_is_undone_saved_and_comes_back_by_its_address(page, site):
    strongest = site.graph.overview().interactions.iloc[0]
    other = first(site, "layer.2" if "/layer.0/" in strongest["source"] else "layer.0")
    ids = [strongest["source"], strongest["target"], other]
    for feature in ids:
        page.keyboard.down("Shift")
        page.mouse.click(*place(page, feature))
        page.keyboard.up("Shift")
    page.keyboard.press("z")
    page.click("[data-tab=pinned]")
    page.wait_for_selector("#name")
    assert page.evaluate("window.page.look().pins.size") == 2
    circuit = site.graph.circuit_among(ids[:2])
    assert page.text_content("#between") == f"{len(circuit)} interactions between them."
    page.fill("#name", "mine")
    page.click("#pinned form button:has-text('Save')")
    page.wait_for_selector("#saved td:has-text('mine')")
    assert site.graph.circuits.load("mine").pairs() == circuit.pairs()
    page.click("#saved .rename")
    page.fill("#saved input", "still mine")
    page.press("#saved input", "Enter")
    page.wait_for_selector("#saved button:text-is('still mine')")
    assert site.graph.circuits.load("still mine").pairs() == circuit.pairs()
    page.click("#ask-score")  # of a network that is not there: the job fails, and says why
    page.wait_for_selector("#score:has-text('Error: ')", timeout=60_000)
    with page.expect_download() as download:
        page.click("#json")
    assert '"name": null' in Path(download.value.path()).read_text()
    opened(page, page.url)
    page.wait_for_selector("#name")
    assert page.evaluate("[...window.page.look().pins]") == ids[:2]


def test_a_label_is_written(page, site):
    feature = first(site, "layer.2")
    opened(page, f"{site.where}#selected={feature}")
    page.wait_for_selector("#label")
    page.fill("#label", "what it stands for")
    page.press("#label", "Enter")
    page.wait_for_selector("text=Kept in store and folder.")
    frame = site.graph.features().frame
    assert list(frame["label"][frame["id"] == feature]) == ["what it stands for"]


def test_what_a_text_of_ones_own_finds_lights_up(page, site):
    page.click("[data-tab=cypher]")
    page.wait_for_selector("#text")
    page.fill("#text", "MATCH (f:Feature {run: $run, layer: 'layer/1'}) RETURN f.id AS id")
    page.click("#ask")
    page.wait_for_selector("#rows td")
    ids = set(site.graph.features(layer="layer/1").frame["id"])
    assert set(page.evaluate("[...window.page.lit.features]")) == ids
    page.fill("#text", "MATCH (n) DETACH DELETE n")
    page.click("#ask")
    page.wait_for_selector("#rows:has-text('This text writes')")


def test_modules_have_the_colours_of_all_pictures(page, site):
    page.click("[data-tab=modules]")
    page.wait_for_selector("#modules [data-module]")
    found = site.graph.communities()
    colours = module_colours(found.features["community"])
    shown = page.evaluate("window.page.graph.colours")
    assert {int(key): value for key, value in shown.items()} == colours
    assert page.locator("#modules [data-module]").count() == len(found)
    page.locator("#modules [data-module='1'] .alone").click()
    page.wait_for_selector("#all")
    assert "module=1" in page.url


def test_the_picture_is_exported_whole(page, site):
    with page.expect_download() as download:
        page.click("#svg")
    text = Path(download.value.path()).read_text()
    found = site.graph.overview()
    assert text.count('class="interaction"') == len(found.interactions)
    assert text.count('class="feature"') == len(found.features)
    with page.expect_download() as download:
        page.click("#png")
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_it_fits_a_screen_and_a_phone_by_day_and_by_night(browser, site, theme, width):
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=theme)
    page = context.new_page()
    opened(page, f"{site.where}#selected={first(site)}")
    page.wait_for_selector("#outputs")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    bright = sum(map(int, paper.removeprefix("rgb(").removesuffix(")").split(",")))
    assert (bright > 600) == (theme == "light")
    inks = page.evaluate(
        """() => { const c = document.getElementById("drawing");
        const data = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        const found = new Set();
        for (let i = 0; i < data.length; i += 4)
          if (data[i + 3] === 255) found.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
        return found.size; }"""
    )
    assert inks > 20
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_in_no_module_has_the_colour_of_the_paper(browser, site, theme):
    context = browser.new_context(viewport={"width": 1400, "height": 900}, color_scheme=theme)
    page = context.new_page()
    opened(page, site.where)
    found = page.evaluate(
        """() => [...window.page.graph.nodes.values()]
        .filter(each => !window.page.graph.module(each.id)).map(each => [...document
          .getElementById("drawing").getContext("2d").getImageData(each.x, each.y, 1, 1).data])"""
    )
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert len(found) == 4  # the answers
    assert {f"rgb({red}, {green}, {blue})" for red, green, blue, _ in found} == {paper}
    context.close()


def test_the_keyboard_reaches_all_and_its_ring_is_not_cut(page):
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        if reached[-1] == "drawing":
            break
    wanted = ["run", "search", "svg", "undo", "theme", "help", "share", "order", "width"]
    places = [reached.index(each) for each in [*wanted, "drawing"]]
    assert places == sorted(places)
    ring = page.evaluate(
        """() => { const style = getComputedStyle(document.activeElement);
        const { outlineStyle, outlineWidth, outlineOffset } = style;
        return [outlineStyle, parseFloat(outlineWidth), parseFloat(outlineOffset)]; }"""
    )
    assert ring[0] == "solid"
    assert ring[1] + ring[2] <= 0  # all of it is inside, as the stage scrolls
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "tab-feature"


def test_a_run_that_is_gone_is_said_and_another_shown(page, site):
    opened(page, f"{site.where}#run=nope&selected=nope/layer/1/1")
    assert page.text_content("#trouble").startswith("The run nope is not here")
    assert page.input_value("#run") == site.run.id
    assert page.text_content("#counts").startswith(count_line(site, 0.8))
