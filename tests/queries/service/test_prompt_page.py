"""The page of an attribution graph: positions are columns, layers rows, a role is a shape."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Page

from ingest.graphs.reading import read_graph
from ingest.graphs.tables import write_run
from tests.browsers import browser
from tests.prompts import random_graph
from tests.queries.service.sites import Site, count_line, opened, serving, watched

__all__ = ["browser"]
pytestmark = pytest.mark.slow

PLACES = """() => Object.fromEntries([...window.page.graph.nodes.values()].map(
  each => [each.id, [each.x, each.y]]))"""
TOKENS = "window.page.graph.tokens.map(each => [each.words, each.left, each.left + each.wide])"
BLOCKS = """() => [...window.page.graph.nodes.values()].filter(each => each.members)
  .map(each => [each.position, each.members.map(x => x.id).sort()])"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("prompt")
    file = random_graph(folder / "graph.json", positions=4, seed=3)
    with serving(folder, [write_run(read_graph(file), folder / "run")]) as served:
        yield served


@pytest.fixture
def page(browser, site: Site) -> Iterator[Page]:
    with watched(browser, f"{site.where}#share=100") as shown:
        yield shown


def test_each_node_stands_above_its_token_in_the_row_of_its_layer(page, site):
    prompt = site.graph.prompt()
    assert page.text_content("#counts").startswith(count_line(site, 1.0))
    places, tokens = page.evaluate(PLACES), page.evaluate(TOKENS)
    assert [words for words, _, _ in tokens] == list(prompt.info.tokens)
    features = site.graph.overview(share=1.0).features
    assert set(places) == set(features["id"])
    high: dict[int, list[float]] = {}
    for feature, layer in zip(features["id"], features["layer_index"], strict=True):
        x, y = places[feature]
        _, left, right = tokens[prompt.nodes[feature]["position"]]
        assert left < x < right
        high.setdefault(layer, []).append(y)
    rows = [high[layer] for layer in sorted(high)]
    for below, above in pairwise(rows):  # embeddings at the bottom
        assert min(below) > max(above)
    assert len(set(map(tuple, places.values()))) == len(places)


def test_what_a_node_is_is_its_shape(page, site):
    with page.expect_download() as download:
        page.click("#svg")
    text = Path(download.value.path()).read_text()
    roles = [site.graph.prompt().nodes[x]["role"] for x in page.evaluate(PLACES)]
    for tag, those in (("circle", ["feature"]), ("polygon", ["error"]),
                       ("rect", ["embedding", "logit"])):  # fmt: skip
        assert text.count(f'<{tag} class="feature"') == sum(role in those for role in roles) > 0
    assert page.is_visible("#shapes")


def test_a_node_is_told_and_nothing_is_offered_that_needs_its_network(page, site):
    logit = next(x for x, node in site.graph.prompt().nodes.items() if node["role"] == "logit")
    opened(page, f"{site.where}#share=100&selected={logit}")
    page.wait_for_selector("#examples:has-text('An attribution graph has none')")
    for words in ("at position 3", "probability 0.", site.graph.prompt().nodes[logit]["node"]):
        assert words in page.text_content("#feature")
    page.keyboard.press("p")
    page.click("[data-tab=pinned]")
    page.wait_for_selector("#between")
    assert page.locator("#ask-score").count() == 0
    page.click("[data-tab=runs]")
    page.wait_for_selector("#other")
    assert page.locator("#trace").count() == 0


def test_a_picture_that_is_wider_than_its_place_says_so(page):
    wide = "stage.scrollWidth > stage.clientWidth"
    assert not page.evaluate(wide)
    assert "scroll the picture" not in page.text_content("#counts")
    page.evaluate("stage.style.flex = '0 0 100px'")
    page.wait_for_selector("#counts:has-text('scroll the picture sideways')")
    assert page.evaluate(wide)


def test_filters_leave_errors_out_and_a_layer_folds_at_each_position(page, site):
    nodes = site.graph.prompt().nodes
    page.click("#filter summary")
    page.select_option("#role", "-error")
    page.wait_for_selector("#counts:has-text('pass the filter')")
    assert {nodes[x]["role"] for x in page.evaluate(PLACES)} == {"feature", "embedding", "logit"}
    page.click("#unfilter")
    opened(page, f"{site.where}#share=100&folded=[%22layer:2%22]")
    found = dict(page.evaluate(BLOCKS))
    members = [x for x in page.evaluate("[...window.page.graph.home.keys()]") if "/2/" in x]
    wanted: dict[int, list[str]] = {}
    for feature in sorted(members):
        wanted.setdefault(nodes[feature]["position"], []).append(feature)
    assert found == wanted


def test_its_page_in_one_file_stands_the_same(page, site, browser, tmp_path):
    places = page.evaluate(PLACES)
    with page.expect_download() as download:
        page.click("#html")
    download.value.save_as(tmp_path / "saved.html")
    saved = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
    opened(saved, (tmp_path / "saved.html").as_uri())
    assert saved.evaluate(PLACES) == places
    saved.context.close()
