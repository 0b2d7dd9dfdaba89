"""The page as one file: what stands in its scripts is the data, whatever texts are among them."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import ingest
import queries
from ingest.store import open_store
from lib_graph.run import Run
from lib_graph.run.histograms import read_histogram
from lib_graph.support.texts import json_text
from queries.service.saved_page import PAGE, communities_data, saved_page, view_data
from tests.synthetic import random_histograms, random_run

LABEL = "</script><script>alert(1)</script><!--<script> &lt; \u2028"


class Scripts(HTMLParser):
    """The scripts of a page as a browser takes them apart: attributes, and what is in them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str | None], str]] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.found.append((dict(attrs), ""))
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            attributes, text = self.found[-1]
            self.found[-1] = attributes, text + data


def scripts_of(page: str) -> list[tuple[dict[str, str | None], str]]:
    scripts = Scripts()
    scripts.feed(page)
    scripts.close()
    return scripts.found


def snapshot_of(page: str) -> str:
    (text,) = (text for attributes, text in scripts_of(page) if attributes.get("id") == "snapshot")
    return text


def test_it_has_the_histograms_of_what_it_shows(tmp_path: Path) -> None:
    run, file = random_run(tmp_path / "run", (6, 5, 4), seed=3), str(tmp_path / "graph.kgl")
    ingest.load(run, file)
    with queries.open_graph(file) as graph:
        asked = graph, graph.ranked(limit=3), graph.communities()

        def snapshot(folder: Run | None) -> Any:
            return json.loads(snapshot_of(saved_page(*asked, share=0.5, folder=folder)))

        assert snapshot(run)["histograms"] == {}
        random_histograms(run)
        assert snapshot(None)["histograms"] == {}
        page = snapshot(run)
    shown = page["view"]["features"]
    places = zip(shown["id"], shown["layer"], shown["index"], strict=True)
    found = {each: read_histogram(run, layer, index) for each, layer, index in places}
    assert 2 < len(found) < len(run.features)
    assert page["histograms"] == {
        each: json.loads(json_text(one.json_value())) for each, one in found.items() if one
    }


def test_a_label_cannot_end_the_script_that_it_is_in(tmp_path: Path) -> None:
    run, file = random_run(tmp_path / "run", (6, 5, 4), seed=3), str(tmp_path / "graph.kgl")
    run.label("layer.0", 1, LABEL)
    ingest.load(run, file)
    with open_store(file) as store, queries.open_graph(store) as graph:
        ranked, modules = graph.ranked(), graph.communities()
        page = saved_page(graph, ranked, modules, share=0.5)
        view = graph.overview(share=1.0, ranked=ranked)
        expected = {
            "view": view_data(view, ranked),
            "communities": communities_data(modules),
            "run": asdict(graph.run),
            "layers": [asdict(layer) for layer in graph.layers],
            "store": file,
            "share": 0.5,
        }
    kinds = [attributes.get("type") for attributes, _ in scripts_of(page)]
    assert kinds == ["application/json", "importmap", "module"]
    assert "modulepreload" not in page
    text = snapshot_of(page)
    assert "<" not in text  # not even the beginning of a comment
    snapshot = json.loads(text)
    assert {name: snapshot[name] for name in expected} == json.loads(json_text(expected))
    assert any("</script><script>" in label for label in snapshot["view"]["features"]["label"])


def test_the_page_asks_for_all_its_modules_at_once() -> None:
    named = re.findall(r'rel="modulepreload" href="(.*?)"', (PAGE / "index.html").read_text())
    assert named == sorted(file.name for file in PAGE.glob("*.js") if file.name != "main.js")
