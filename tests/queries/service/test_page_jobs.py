"""What takes long, started from the page on a small network: examples, a live score, a trace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

import queries
from lib_graph.run import Run
from lib_graph.run.histograms import read_histogram
from tests.browsers import browser
from tests.lib_graph.cli.test_build import lib_graph
from tests.own_network import NETWORK
from tests.queries.service.sites import Site, opened, serving, watched

__all__ = ["browser"]
pytestmark = pytest.mark.slow
LONG = 90_000  # ms that a job may take on a busy machine


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "net.py").write_text(NETWORK)
    model, out = f"{folder / 'net.py'}:make_model", str(folder / "my-run")
    assert lib_graph("build", model, "--out", out, "-q", "--layers", "input=0:in,2:in,output") == 0
    with serving(folder, [Run.open(out)]) as served:
        yield served


@pytest.fixture
def page(browser, site: Site) -> Iterator[Page]:
    with watched(browser, site.where) as shown:
        yield shown


def test_examples_are_found_and_shown_where_they_were_asked_for(page, site):
    opened(page, f"{site.where}#selected={site.graph.layers[1].name}/1")
    page.click("#find-examples")
    page.wait_for_selector("#examples .example", timeout=LONG)
    assert (site.run.path / "examples.parquet").exists()
    found = read_histogram(site.run, site.graph.layers[1].name, 1)
    assert found is not None
    assert found.total == 50
    drawn = "bars => bars.map(bar => [Number(bar.dataset.bin), Number(bar.dataset.count)])"
    bars = page.locator("#histogram rect").evaluate_all(drawn)
    assert bars == [[i, n] for i, n in enumerate(found.counts) if n]
    heights = page.locator("#histogram rect").evaluate_all(
        "x => x.map(y => y.height.baseVal.value)"
    )
    tallest = max(count for _, count in bars)
    assert heights == pytest.approx([56 * count / tallest for _, count in bars])
    said = page.locator("#histogram svg").get_attribute("aria-label")
    assert f"most near {float(f'{found.most:.4g}'):g}; {found.beyond} of 50 beyond" in said
    (site.run.path / "histograms.parquet").unlink()  # as where examples are older
    opened(page, f"{site.where}#selected={site.graph.layers[1].name}/1")
    page.wait_for_selector(f"#values:has-text('lib-graph examples {site.run.path}')")
    assert page.locator("#histogram").count() == 0


def test_a_pinned_set_is_scored_and_found_again_after_a_reload(page, site):
    circuit = site.graph.circuit(target="output", min_share=0.2)
    pins = str(circuit.features["id"].tolist()).replace("'", '"')
    opened(page, f"{site.where}#tab=pinned&pins={pins}")
    page.click("#ask-score")
    page.wait_for_selector("#score:has-text('Scoring')")
    opened(page, page.url)
    page.wait_for_selector("#scores", timeout=LONG)
    shown = page.locator("#scores td.n").all_text_contents()
    (job,) = page.evaluate("fetch('/api/v1/jobs').then(x => x.json()).then(x => x.data)")[-1:]
    assert job["kind"] == "score"
    numbers = [job["result"][name] for name in ("score", "baseline", "random_score")]
    assert [float(text) for text in shown] == pytest.approx(numbers, rel=1e-3)


def test_a_trace_is_loaded_and_shown_over_the_average(page, site):
    page.click("[data-tab=runs]")
    page.fill("#input", "no such sample")
    page.click("#trace")
    page.wait_for_selector("#runs p:has-text('Error')", timeout=LONG)
    page.fill("#input", "3")
    page.click("#trace")
    page.wait_for_selector("#unusual h3", timeout=LONG)
    trace = page.input_value("#run")
    assert trace != site.run.id
    with queries.open_graph(site.graph.store, trace) as graph:
        assert graph.run.base == site.run.id
        assert page.locator("#unusual tbody tr").count() == len(graph.unusual(limit=30).frame)
    page.click("text=Back to the average")
    page.wait_for_selector("#trace")
    assert page.input_value("#run") == site.run.id
