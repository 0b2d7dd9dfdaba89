"""Files of JSON read a piece at a time: what `json.loads` makes of them, in whatever pieces."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from ingest.graphs import reading, streaming
from ingest.graphs.reading import read_graph
from ingest.graphs.streaming import JsonStream, Part
from lib_graph.errors import RunError
from tests.ingest.test_graph_files import small

USUAL = 80
TEXTS = ("", "a", "}", "{[", "},{", "]}", '\\"}', "é漢\u2028", "x" * 100)


def read(path: Path) -> tuple[dict[str, Any], int]:
    """The object in a file whose lists are `nodes` and `links`, and what is beyond USUAL."""
    found: dict[str, Any] = {}
    beyond = 0
    for key, value in JsonStream(path, USUAL).entries(("nodes", "links")):
        if isinstance(value, Part):
            found.setdefault(key, []).extend(value.items)
            beyond += value.beyond
        else:
            found[key] = value
    return found, beyond


def item(rng: random.Random) -> Any:
    """Mostly flat objects, as those of graphs are."""
    flat: dict[str, Any] = {name: rng.choice([1, -2.5, None, True, *TEXTS]) for name in "ab"}
    return rng.choice([flat, flat, flat, flat, {"a": flat}, [flat], {}, 3, "}", [], None])


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
@pytest.mark.parametrize("only_flat", [True, False])
def test_items_are_those_of_the_file(
    chunk: int, only_flat: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "CHUNK", chunk)
    rng = random.Random(chunk)
    for case in range(30):
        items = [item(rng) for _ in range(rng.randrange(12))]
        if only_flat:
            items = [{"a": n, "b": "x" * rng.randrange(90)} for n in range(len(items))]
        links = [{"c": n} for n in range(rng.randrange(5))]
        value = {"metadata": {"a": [1]}, "nodes": items, "more": [items], "links": links}
        text = json.dumps(value, indent=rng.choice([None, 2]), ensure_ascii=bool(case % 2))
        path = tmp_path / "file.json"
        path.write_text(text, encoding="utf-8")
        found, beyond = read(path)
        assert found == value
        lengths = [len(_as_written(text, each)) for each in items]
        assert beyond == sum(max(0, length - USUAL) for length in lengths)


def _as_written(text: str, value: Any) -> str:
    """How a value stands in a text that `json.dumps` has written, two levels deep if indented."""
    plain = text.isascii()
    if "\n" not in text:
        return json.dumps(value, ensure_ascii=plain)
    return json.dumps(value, indent=2, ensure_ascii=plain).replace("\n", "\n    ")


@pytest.mark.parametrize(
    "text",
    [
        '{"nodes": [{"a": 1},]}', '{"nodes": [{"a": 1} {"a": 2}]}', '{"nodes": [{"a": 1}}',
        '{"nodes": [{"a": 1}, {"a": 2}', '{"nodes": [{"a": 1}], "nodes": [{"a" 2}]}',
        '{"nodes": [{"a": 1}]]}', '{"nodes": [,{"a": 1}]}',
    ],
)  # fmt: skip
def test_what_is_wrong_among_flat_items_is_found(text: str, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(RunError, match="is damaged JSON at character"):
        read(path)


@pytest.mark.slow
def test_many_small_values_count_for_what_they_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two files of equal length: the one with a value for every third character is refused."""
    path = tmp_path / "graph.json"
    many = [[] for _ in range(30_000)]
    one = "x" * len(json.dumps(many))
    monkeypatch.setattr(reading, "MOST_BESIDE", 1 << 20)
    for where in ("more", "metadata", "qParams"):
        graph: dict[str, Any] = small()
        graph[where] = {**graph.get(where, {}), "vendor": one}
        path.write_text(json.dumps(graph))
        read_graph(path)
        graph[where]["vendor"] = many
        path.write_text(json.dumps(graph))
        with pytest.raises(RunError, match=rf"with its '{where}' it has more than 1 MiB of"):
            read_graph(path)
    monkeypatch.setattr(streaming, "LONGEST", 1 << 20)
    with pytest.raises(RunError, match="an item takes more than 1 MiB"):
        read_graph(path)


def test_what_is_not_known_of_a_node_is_kept_as_text(tmp_path: Path) -> None:
    graph = small()
    graph["nodes"][1] |= {"vendor": {"b": [1], "a": None}, "token_prob": [2], "run_idx": 7}
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(graph))
    node = read_graph(path).nodes[1]
    assert node.rest is not None
    assert json.loads(node.rest) == {"vendor": {"b": [1], "a": None}, "token_prob": [2]}
    assert node.given["run_idx"] == 7


def test_links_have_no_more_ends_than_there_can_be_nodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_NODES", 5)
    path = tmp_path / "graph.json"
    graph = small()
    path.write_text(json.dumps(graph))
    read_graph(path)
    graph["links"] += [{"source": f"no{n}", "target": "E_7_0", "weight": 1.0} for n in range(9)]
    path.write_text(json.dumps({"links": graph.pop("links"), **graph}))
    with pytest.raises(RunError, match="its links have more than 5 ends"):
        read_graph(path)
