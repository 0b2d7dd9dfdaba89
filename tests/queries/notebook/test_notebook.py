"""What answers show in a notebook: the verb's table with bars, a picture, the page."""

from __future__ import annotations

import dataclasses
import re
from html import unescape

import pytest

import ingest
import queries
from lib_graph.errors import NotFoundError, UsageError
from lib_graph.run import Run
from lib_graph.support.notebooks import NotebookProgress
from lib_graph.support.showing import Displayed
from tests.synthetic import random_run

pytestmark = pytest.mark.slow
NASTY = '<script>alert(1)</script> & "more"'


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = random_run(tmp_path_factory.mktemp("notebook") / "run", (6, 5, 4, 3), seed=5)
    made.label("layer/1", 2, NASTY)
    return made


@pytest.fixture(scope="module")
def graph(run: Run) -> queries.Graph:
    store = run.path.parent / "graph.kgl"
    ingest.load(run, store)
    return queries.open_graph(store)


def cells(html: str) -> list[list[str]]:
    """Return the texts of the cells of a table in HTML, row by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    return [
        [
            unescape(re.sub(r"<.*?>", "", cell))
            for cell in re.findall(r"<t[dh].*?>(.*?)</t[dh]>", row)
        ]
        for row in rows
    ]


def bundle(shown: Displayed) -> tuple[str, str]:
    found = shown._repr_mimebundle_()
    assert found["text/html"] == shown._repr_html_()
    assert "<script>alert" not in found["text/html"]
    return found["text/html"], found["text/plain"]


def test_paths_have_short_ids_their_run_and_a_bar_as_long_as_their_strength(graph):
    paths = graph.paths(target="layer/3/1", k=4)
    html, text = bundle(paths)
    assert graph.run.id in html
    assert "to layer/3/1" in text
    names = [[step.split()[0] for step in row[2].split(" → ")] for row in cells(html)[1:]]
    assert names == [[x.partition("/")[2] for x in path.path] for path in paths.paths]
    widths = [int(width) for width in re.findall(r'style="width: (\d+)px"', html)]
    assert widths == [round(80 * path.strength) for path in paths.paths]


def test_a_table_escapes_labels_and_says_how_many_rows_it_has(graph):
    table = graph.features(layer="layer/1")
    html, text = bundle(table)
    labels = {row[0]: row[-1] for row in cells(html)[1:]}
    assert labels["layer/1/2"] == NASTY
    assert f"{len(table.frame)} rows of run {graph.run.id}" in text
    long = queries.Table(table.frame.loc[[0] * 70].reset_index(drop=True))
    assert "The first 50 of 70 rows." in bundle(long)[0]
    assert len(cells(bundle(long)[0])) == 51


def test_the_sign_of_an_effect_is_the_colour_of_its_bar(graph):
    table = graph.interactions(limit=20)
    html, _ = bundle(table)
    signs = ["up" if effect > 0 else "down" for effect in table.frame["effect"]]
    assert re.findall(r'<i class="(\w*)"', html) == signs


def test_a_circuit_is_its_picture_and_its_table(graph):
    circuit = graph.circuit(target="layer/3/1", min_share=0.02)
    html, text = bundle(circuit)
    assert html.count("<svg") == 1
    assert len(cells(html)) == len(circuit) + 1
    assert f"run {graph.run.id}" in text
    ids = re.findall(r' id="([^"]+)"', html)
    assert all(each.startswith("lg") for each in ids)
    large = dataclasses.replace(circuit, interactions=circuit.interactions.iloc[[0] * 200])
    assert "no picture" in bundle(large)[0]


def test_a_run_and_its_graph_name_their_layers(run, graph):
    for shown in (run, graph):
        html, text = bundle(shown)
        assert [row[0] for row in cells(html)[1:]] == [layer.name for layer in run.layers]
        assert run.id in text
        assert run.manifest.name in text


def test_a_graph_draws_its_answers_and_the_whole_run(graph):
    circuit = graph.circuit(target="layer/3/1", min_share=0.02)
    paths = graph.paths(k=3)
    for answer in (circuit, paths, graph.interactions(limit=5), "importances", "modules"):
        assert graph.plot(answer, title="named").findobj() != []
    title = graph.plot("importances").axes[0].get_title(loc="left")
    assert title == f"{graph.run.name}: importances"
    with pytest.raises(UsageError, match="no picture 'strength'"):
        graph.plot("strength")
    with pytest.raises(UsageError, match="Nothing of run"):
        graph.plot("ablation")


def test_a_graph_is_compared_with_others_and_reported(graph, run, tmp_path):
    other = random_run(tmp_path / "other", (6, 5, 4, 3), seed=6, name="other")
    ingest.load(other, tmp_path / "two.kgl")
    ingest.load(run, tmp_path / "two.kgl")
    with queries.open_graph(tmp_path / "two.kgl", run.id) as both:
        found = both.compare("other")
        assert list(found.runs["run"]) == [run.id, other.id]
        assert repr(found).startswith("2 runs side by side\n")
        assert both.compare(queries.open_graph(both.store, other.id)).runs.equals(found.runs)
        with pytest.raises(NotFoundError):
            both.compare("neither")
    graph.report(tmp_path / "report.html")
    assert graph.run.id in (tmp_path / "report.html").read_text()


def test_the_page_is_one_file(graph, tmp_path):
    page = graph.show(share=0.5)
    page.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == page.html
    assert not re.search(r'(src|href)="(?!data:)', page.html)
    html, _ = bundle(page)
    assert unescape(re.search(r'srcdoc="([^"]*)"', html)[1]) == page.html
    with pytest.raises(UsageError, match="share is 2"):
        graph.show(share=2)
    with pytest.raises(UsageError, match="height is 0"):
        graph.show(height=0)


def test_answers_say_in_python_what_they_are_and_show_their_first_rows(graph, run):
    circuit = graph.circuit(target="layer/3/1", min_share=0.02)
    communities = graph.communities()
    assert len(graph.features().frame) > 11
    answers = {
        "rows of run": graph.features(),
        "11 strongest paths from layer.0 to layer/3": graph.paths(k=11),
        "circuit of run": circuit,
        "of run": communities,
        "flow between modules": graph.module_flow(communities),
        "modules of run": graph.module_table(seeds=1, null=0),
        "of the strength": graph.overview(),
        "the first interactions": graph.ranked(),
        "2 circuits side by side": _two_saved(graph, circuit),
        f"run {run.manifest.name}": run,
    }
    for about, answer in answers.items():
        text = repr(answer)
        assert text == bundle(answer)[1]
        assert about in text.splitlines()[0]
        assert len(text.splitlines()) < 40
        assert "Statement(" not in text
        assert "array(" not in text
    lines = repr(answers["rows of run"]).splitlines()
    assert lines[-1] == f"… {len(graph.features().frame) - 10} more rows"
    assert max(map(len, lines)) <= 80
    for answer in (graph, graph.circuits, graph.feature("layer/1/2")):
        assert graph.run.id in repr(answer)
        assert len(repr(answer).splitlines()) == 1


def test_a_text_of_ones_own_shows_whatever_it_returns(graph):
    asked = graph.cypher("RETURN 'most' AS share, 'a' AS source, 'b' AS target, 'up' AS effect, "
                         "'k' AS source_label, 'l' AS target_label, $long AS `long`",
                         {"long": "\x1b[31mred\x07\nand " + 100 * "long "})  # fmt: skip
    html, text = bundle(asked)
    assert "<td>most</td><td>a</td>" in html
    assert text == repr(asked)
    assert "\x1b" not in text
    assert len(text.splitlines()) == 3
    assert max(map(len, text.splitlines())) == 80
    bars = graph.cypher("RETURN 0.5 AS share, 'up' AS effect")
    assert 'class="" style="width: 40px"' in bundle(bars)[0]


def _two_saved(graph, circuit):
    for name in ("first", "second"):
        graph.circuits.save(circuit, name)
    return graph.circuits.compare(["first", "second"])


def test_progress_shows_a_bar_and_then_what_is_done():
    shown: list[str] = []

    def show(html):
        shown.append(html)
        return shown.append

    progress = NotebookProgress(show)
    for name in map(str, range(8)):
        with progress.stage(f"stage <{name}>", 4) as advance:
            advance(1)
            advance(3)
    assert '<progress value="0" max="4">' in shown[0]
    last = shown[-1]
    assert "<progress" not in last
    assert "… 2 more before" in last
    assert re.findall(r"stage &lt;(\d)&gt;: 0.0 s", last) == list("234567")
