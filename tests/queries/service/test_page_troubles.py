"""What the page says when things go wrong: a run that is gone, a service that stops, odd links."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route

import ingest
from tests.browsers import browser
from tests.queries.service.sites import count_line, first, opened, place, serving, watched
from tests.synthetic import random_run

__all__ = ["browser"]
pytestmark = pytest.mark.slow


def test_runs_that_are_loaded_meanwhile_appear_and_one_that_is_gone_is_said(browser, tmp_path):
    run = random_run(tmp_path / "run", (6, 5, 3), seed=7)
    later = random_run(tmp_path / "later", (6, 5, 3), seed=9, name="later")
    with serving(tmp_path, [run]) as site, watched(browser, site.where) as page:
        assert page.locator("#run option").count() == 1
        file = site.graph.store.name
        ingest.load(later, file)
        page.focus("#run")
        page.wait_for_selector("#run option:nth-child(2)", state="attached")
        assert {run.id, later.id} == set(
            page.locator("#run option").evaluate_all("all => all.map(x => x.value)")
        )
        shown = place(page, first(site))
        ingest.delete(run.id, file)
        page.mouse.click(*shown)
        page.wait_for_selector(f"#trouble:has-text('The run {run.id} is not here')")
        assert page.input_value("#run") == later.id
        assert page.text_content("#counts").startswith("showing ")


def test_a_page_that_outlives_its_service_says_so_and_goes_on_with_the_next(browser, tmp_path):
    run = random_run(tmp_path / "run", (6, 5, 3), seed=7)
    with serving(tmp_path, [run]) as site:
        port = int(site.where.rstrip("/").rpartition(":")[2])
        feature = first(site)
        context = browser.new_context()
        page = context.new_page()
        opened(page, site.where)
    page.mouse.click(*place(page, feature))
    page.wait_for_selector("#trouble:has-text(\"Is 'lib-graph serve' still running?\")")
    with serving(tmp_path, [run], port=port):
        page.keyboard.press("Escape")
        page.mouse.click(*place(page, feature))
        page.wait_for_selector("#outputs")
        assert page.is_hidden("#trouble")
        context.close()


@pytest.mark.parametrize(
    "link",
    ["#selected=nope/1", "#pins=[1,2", "#pins={}&share=x&degree=-1", "#tab=nope&order=nope",
     "#folded=[%22layer:nope%22]&module=99&resolution=1", "#other=nope", "#selected=block:0:1:7",
     "#pins=[1,{},null]&folded=[2]"],
)  # fmt: skip
def test_a_link_that_was_cut_or_mistyped_still_shows_the_run(browser, tmp_path_factory, link):
    folder = tmp_path_factory.mktemp("links")
    with (
        serving(folder, [random_run(folder / "run", (6, 5, 3), seed=7)]) as site,
        watched(browser, site.where) as page,
    ):
        opened(page, site.where + link)
        assert page.text_content("#counts").startswith("showing ")
        page.click("[data-tab=modules]")
        page.wait_for_selector("#modules [data-module]")


def test_an_answer_that_comes_late_does_not_take_the_place_of_a_later_ones(browser, tmp_path):
    run = random_run(tmp_path / "run", (6, 5, 3), seed=7)
    with serving(tmp_path, [run]) as site, watched(browser, site.where) as page:
        held: list[Route] = []
        page.route(
            lambda url: "/view?" in url and "share=0.3" in url, lambda route: held.append(route)
        )
        for share in (30, 95):
            page.locator("#share").fill(str(share))
        later = f"#counts:has-text('{count_line(site, 0.95)}')"
        page.wait_for_selector(later)
        with page.expect_response(lambda response: "share=0.3" in response.url):
            held.pop().continue_()
        page.wait_for_function("() => new Promise((done) => setTimeout(() => done(true), 100))")
        assert page.is_visible(later)
