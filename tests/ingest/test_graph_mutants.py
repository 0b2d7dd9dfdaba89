"""Damaged graphs by the thousand: a line that says what is wrong, or a run that can be loaded."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.contents import Contents
from ingest.graphs.reading import read_graph
from ingest.graphs.tables import write_run
from lib_graph.errors import RunError
from tests.ingest.test_graph_files import small

VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**70, 1e400, float("nan"), 0.5, "", "x", "E", "0_5_1", "\ud800", "\x00a",
    [], [[]], {}, {"a": 1}, "a,b", "[[", 3, "-1", "007",
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, as the keys that lead there."""
    if path:
        yield path
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key, part in value.items() if isinstance(value, dict) else ():
        yield from places(part, (*path, key))


def changed(graph: Any, rng: random.Random) -> Any:
    """The graph with a few values replaced, taken out, doubled, or put at another place."""
    graph = copy.deepcopy(graph)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        *way, last = rng.choice(list(places(graph)))
        holder = graph
        for key in way:
            holder = holder[key]
        what = rng.choice(["replace", "replace", "remove", "double", "other"])
        if what == "remove":
            del holder[last]
        elif what == "double" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[last]))
        elif what == "other" and isinstance(holder, dict):
            holder[rng.choice(["layer", "feature", "clerp", "x", "weight", "token"])] = holder[last]
        else:
            holder[last] = copy.deepcopy(rng.choice(VALUES))
    return graph


def mutants(rng: random.Random) -> Iterator[bytes]:
    """Files: every other is a graph with other values, the rest has bytes changed or cut off."""
    graph = small()
    graph["qParams"] = {"pinnedIds": ["2_3_1"], "supernodes": [["a", "0_5_1"]], "clerps": []}
    graph["nodes"][4] |= {"token_prob": 0.5, "clerp": 'Output "x" (p=0.5)', "activation": 1.0}
    whole = json.dumps(graph).encode()
    while True:
        yield json.dumps(changed(graph, rng)).encode()
        text, at = bytearray(whole), rng.randrange(len(whole))
        for _ in range(rng.choice([1, 3])):
            text[rng.randrange(len(text))] = rng.randrange(256)
        yield bytes(text) if rng.random() < 0.5 else whole[:at] + whole[at + rng.randrange(40) :]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_a_damaged_graph_is_a_line_or_a_run(seed: int, tmp_path: Path) -> None:
    path, files = tmp_path / "graph.json", mutants(random.Random(seed))
    lines: list[str] = []
    for number in range(1000):
        path.write_bytes(next(files))
        try:
            found = read_graph(path)
        except RunError as error:
            lines.append(str(error))
            continue
        if number % 21 == 0:  # all of them would take as long as loading them
            run = write_run(found, tmp_path / "run")
            contents = Contents.of(run)
            assert contents.interactions == len(found.weight)
            assert len(contents.features) == len(found.nodes)
    assert 100 < len(lines) < 950
    assert all("\n" not in line and str(path) in line for line in lines)
