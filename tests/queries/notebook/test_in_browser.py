"""A notebook that is run, and its outputs in a real browser, light and dark."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import queries
from lib_graph.support.notebooks import MARK
from tests.browsers import browser
from tests.synthetic import random_run

__all__ = ["browser"]
pytestmark = pytest.mark.slow

CELLS = (
    "import ingest, queries\nfrom lib_graph.run import Run\nrun = Run.open('run')\n"
    "ingest.load(run, 'graph.kgl')\ngraph = queries.open_graph('graph.kgl')\nrun",
    "graph",
    "graph.paths(target='layer/3/1', k=4)",
    "graph.circuit(target='layer/3/1', min_share=0.02)",
    "graph.interactions(limit=5)",
    "graph.show(share=0.6)",
)
PAGE = """<!doctype html><html><meta charset="utf-8"><body style="background: {paper};
color: {ink}; font-family: sans-serif">{outputs}</body></html>"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[list[nbformat.NotebookNode]]:
    """What a notebook's cells show, each: it is run by a kernel of its own."""
    folder = tmp_path_factory.mktemp("notebook")
    random_run(folder / "run", (6, 5, 4, 3), seed=5).label("layer/1", 2, "<b>bold</b>")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(x) for x in CELLS])
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=120, resources=resources).execute()
    shutil.copy(folder / "graph.kgl", folder / "copy.kgl")
    found = [cell.outputs for cell in notebook.cells]
    found.append(folder)
    return found


@pytest.fixture(scope="module", params=["light", "dark"])
def shown(request, browser, outputs, tmp_path_factory):
    """A page with all outputs, and the HTML of each; it asked for nothing and said no error."""
    parts = [x["data"]["text/html"] for cell in outputs[:-1] for x in cell if "data" in x]
    dark = request.param == "dark"
    paper, ink = ("#111111", "#eeeeee") if dark else ("#ffffff", "#111111")
    file = tmp_path_factory.mktemp("shown") / "notebook.html"
    file.write_text(PAGE.format(paper=paper, ink=ink, outputs="\n<hr>".join(parts)))
    context = browser.new_context(
        viewport={"width": 1100, "height": 900}, color_scheme=request.param
    )
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.on("request", lambda asked: wrong.append(asked.url) if asked.url[:4] == "http" else None)
    page.goto(file.as_uri())
    yield page
    context.close()
    assert wrong == []


def test_progress_is_shown_and_marked(outputs):
    first = outputs[0][0]
    assert first["metadata"][MARK] is True
    assert "load" in first["data"]["text/html"]
    assert "<progress" not in first["data"]["text/html"]


@pytest.mark.parametrize("width", [1100, 900])
def test_a_picture_is_as_wide_as_the_notebook_at_most(shown, width):
    shown.set_viewport_size({"width": width, "height": 900})
    cut = shown.evaluate(
        """() => [...document.querySelectorAll(".lib-graph figure")].map(each =>
          [each.scrollWidth - each.clientWidth, each.querySelector("svg").clientWidth])"""
    )
    assert cut
    assert all(hidden == 0 and 0 < drawn <= width for hidden, drawn in cut)


def test_tables_can_be_read_on_either_ground(shown):
    ink, paper = shown.evaluate(
        """() => { const cell = document.querySelector(".lib-graph td");
        return [getComputedStyle(cell).color, getComputedStyle(document.body).backgroundColor]; }"""
    )
    bright = [
        sum(map(int, each.removeprefix("rgb(").rstrip(")").split(","))) for each in (ink, paper)
    ]
    assert abs(bright[0] - bright[1]) > 500
    assert shown.locator(".lib-graph figure svg").count() == 1
    assert shown.locator(".lib-graph b").count() == 0


def test_a_bar_is_as_wide_as_its_number(shown):
    table = shown.locator(".lib-graph:has-text('strongest paths') table")
    for row in table.locator("tbody tr").all():
        strength = float(row.locator("td").first.text_content())
        assert row.locator("i").bounding_box()["width"] == pytest.approx(80 * strength, abs=1)


def test_the_page_in_the_notebook_is_that_of_the_run(shown, outputs):
    frame = shown.frame_locator("iframe")
    frame.locator("html[data-ready]").wait_for(timeout=20_000)
    with queries.open_graph(Path(outputs[-1]) / "copy.kgl") as graph:
        whole, part = graph.overview(share=1.0), graph.overview(share=0.6)
        strongest = graph.interactions(target="layer/3/1", limit=25).frame["source"]
    for found, share in ((part, None), (whole, 100)):
        if share is not None:
            frame.locator("#share").fill(str(share))
        line = (
            f"showing {len(found.features)} of {found.features_of} features, "
            f"{len(found.interactions)} of {found.interactions_of} interactions; "
            f"{100 * found.kept:.3g} % of the strength"
        )
        frame.locator(f"#counts:has-text('{line}')").wait_for(timeout=10_000)
    frame.locator("#search").fill("layer/3/1")
    frame.locator("#found button").first.click()
    frame.locator("#inputs").wait_for()
    names = frame.locator("#inputs tbody td:first-child").all_text_contents()
    assert [x.partition(" · ")[0] for x in names] == [x.partition("/")[2] for x in strongest]
    assert frame.locator("[data-tab=paths]").is_hidden()
    assert frame.locator("[data-tab=cypher]").is_hidden()
