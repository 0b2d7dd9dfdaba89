from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import queries
from ingest.store import GraphStore
from queries.asking.reader import Reader
from queries.asking.statements import CYPHER, Statement, cypher_literal, read_text
from tests.loaded import load_once
from tests.synthetic import random_run

READING = sorted(
    path.stem for path in CYPHER.glob("*.cypher") if path.stem not in ("runs", "all_runs")
)
QUESTIONS: dict[str, Callable[[queries.Graph], object]] = {
    "features": lambda graph: graph.features(),
    "interactions": lambda graph: graph.interactions(),
    "paths": lambda graph: graph.paths(),
    "paths to": lambda graph: graph.paths(target="layer/3/1"),
    "paths between": lambda graph: graph.paths(source="layer.0/1", target="layer.2"),
    "circuit": lambda graph: graph.circuit(target="layer/3"),
    "circuit of": lambda graph: graph.circuit_of(graph.paths()),
    "grown circuit": lambda graph: graph.grow_circuit(target="layer/3/1"),
    "saved circuits": lambda graph: graph.circuits.table(),
    "communities": lambda graph: graph.communities(),
    "sections": lambda graph: next(graph.sections()),
}


def example_parameters(text: str) -> set[str]:
    return set(re.findall(r"^// :param (\w+) =>", text, re.MULTILINE))


@pytest.mark.parametrize("name", READING)
def test_a_text_says_what_it_answers_and_gives_an_example_of_each_parameter(name: str) -> None:
    text = read_text(name)
    body = "\n".join(line for line in text.splitlines() if not line.startswith("//"))
    assert re.match(r"// [A-Z].*", text)
    assert example_parameters(text) == set(re.findall(r"\$(\w+)", body))
    assert "(:Run {id: $run, status: 'complete'})" in body
    assert " AS " in body[body.rindex("RETURN") :]


@pytest.mark.parametrize("name", READING)
def test_the_texts_are_all_that_the_questions_run(name: str) -> None:
    code = "".join(path.read_text() for path in CYPHER.parent.rglob("*.py"))
    assert f'read_text("{name}")' in code


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_run_that_is_not_complete_is_not_read(
    store: GraphStore, tmp_path: Path, question: str
) -> None:
    run = random_run(tmp_path)
    load_once(store, run)
    graph = queries.open_graph(store)
    assert len(graph.layers) == 4
    answer = QUESTIONS[question](graph)
    store.write("MATCH (r:Run {id: $run}) SET r.status = 'deleting'", {"run": run.id})
    for statement in answer.statements:
        assert store.execute(statement.text, statement.parameters) == []


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_value_is_in_a_text(store: GraphStore, tmp_path: Path, question: str) -> None:
    run = random_run(tmp_path)
    load_once(store, run)
    for statement in QUESTIONS[question](queries.open_graph(store)).statements:
        body = re.sub(r"//.*", "", statement.text)
        assert run.id not in body
        assert not re.search(r"layer[./]\d", body)
        assert set(re.findall(r"\$(\w+)", body)) == set(statement.parameters)


def test_a_reader_remembers_what_it_ran(store: GraphStore) -> None:
    store.write("CREATE (:Layer {id: 'a'})")
    reader = Reader(store, "run")
    assert reader.rows("RETURN $run AS run, $k + 1 AS next", k=2) == [{"run": "run", "next": 3}]
    assert list(reader.frame("RETURN $run AS run")["run"]) == ["run"]
    assert [dict(s.parameters) for s in reader.statements] == [
        {"run": "run", "k": 2},
        {"run": "run"},
    ]


@pytest.mark.parametrize(
    "value",
    ["", 'it\'s "a" \\ path/1\n', 3, -2.5, 1e-300, True, None, [], [1, [2.5, "x"]], {"a/b": None}],
)
def test_a_literal_is_the_value(store: GraphStore, value: object) -> None:
    store.write("CREATE (:Layer {id: 'a'})")
    rows = store.execute(f"RETURN {cypher_literal(value)} AS value")
    assert rows == [{"value": value}]


def test_a_statement_for_the_browser_sets_its_parameters_first() -> None:
    text = "// :param k => 1\nRETURN $k AS k, $names AS names\n"
    shown = Statement(text, {"k": 3, "names": ["a"]}).for_browser()
    assert shown.splitlines() == [
        ":param k => 3;",
        ':param names => ["a"];',
        "// :param k => 1",
        "RETURN $k AS k, $names AS names;",
    ]
