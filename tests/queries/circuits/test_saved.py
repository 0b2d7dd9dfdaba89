"""Circuits in the store: saved, listed, loaded, compared, as files, deleted."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import ingest
import queries
from ingest.store import GraphStore
from lib_graph.errors import ConflictError, NotFoundError, UsageError
from lib_graph.run.circuit import Scores
from queries.circuits.saved import SavedCircuits
from tests.ingest.graphs import dump, undated
from tests.loaded import load_once
from tests.queries.conftest import Answer
from tests.synthetic import random_run

Cli = Callable[..., Answer]
RUN, OTHER = "0a0000000001", "0b0000000002"
SCORES = Scores(score=0.75, baseline=1.0, random_score=0.125, metric="accuracy")
NODES = "MATCH (c:Circuit) RETURN count(*) AS n"
CONTAINED = "MATCH (:Circuit {name: $name})-[:CONTAINS]->(f:Feature) RETURN f.id AS id ORDER BY id"


@pytest.fixture
def graph(store: GraphStore, tmp_path: Path) -> queries.Graph:
    load_once(store, random_run(tmp_path / "run", run_id=RUN, name="mine"))
    return queries.open_graph(store)


def same(one: queries.Circuit, other: queries.Circuit) -> bool:
    pd.testing.assert_frame_equal(one.features, other.features)
    pd.testing.assert_frame_equal(one.interactions, other.interactions)
    return (one.run, one.query) == (other.run, other.query)


def test_a_saved_circuit_comes_back_as_it_was(graph: queries.Graph, store: GraphStore) -> None:
    circuit = graph.circuit(target="layer/3/1", min_share=0.1)
    saved = graph.circuits.save(circuit, "my 'first' > circuit")
    found = graph.circuits.load("my 'first' > circuit")
    assert same(found, circuit)
    assert same(saved, circuit)
    assert (circuit.name, found.name, found.scores) == (None, "my 'first' > circuit", None)
    rows = store.execute(CONTAINED, {"name": found.name})
    assert [row["id"] for row in rows] == sorted(circuit.features["id"])
    (row,) = graph.circuits.table().records()
    assert (row["features"], row["interactions"]) == (len(circuit.features), len(circuit))
    assert (row["score"], row["baseline"], row["random_score"]) == (None, None, None)
    one = graph.circuit_of(graph.interactions(limit=1))
    assert same(graph.circuits.save(one, "of one"), one)


def test_saving_again_changes_nothing_but_the_scores(
    graph: queries.Graph, store: GraphStore
) -> None:
    circuit = graph.circuit(target="layer/3/1", min_share=0.1)
    graph.circuits.save(circuit, "a")
    before = dump(store)
    graph.circuits.save(circuit, "a")
    assert dump(store) == before
    tested = dataclasses.replace(circuit, scores=SCORES)
    assert graph.circuits.save(tested, "a").scores == SCORES
    assert graph.circuits.save(circuit, "a").scores == SCORES
    (row,) = graph.circuits.table().records()
    assert (row["score"], row["baseline"], row["random_score"]) == (0.75, 1.0, 0.125)


def test_a_name_is_one_circuit_unless_it_is_replaced(graph: queries.Graph) -> None:
    first = graph.circuit(target="layer/3/1", min_share=0.1)
    second = graph.circuit(target="layer/3/2", min_share=0.1)
    graph.circuits.save(dataclasses.replace(first, scores=SCORES), "a")
    with pytest.raises(ConflictError, match="another circuit 'a'"):
        graph.circuits.save(second, "a")
    assert same(graph.circuits.load("a"), first)
    replaced = graph.circuits.save(second, "a", replace=True)
    assert same(replaced, second)
    assert replaced.scores is None
    assert len(graph.circuits.table().frame) == 1


@pytest.mark.slow
def test_a_file_brings_a_circuit_and_its_scores_back(
    graph: queries.Graph, tmp_path: Path, store: GraphStore
) -> None:
    circuit = graph.circuits.save(graph.circuit(target="layer/3/1", min_share=0.1), "a")
    file = tmp_path / "a.json"
    circuit.save(file)
    content = json.loads(file.read_text())
    assert [content[key] for key in ("score", "baseline", "random_score")] == [None] * 3
    content.update(dataclasses.asdict(SCORES))
    file.write_text(json.dumps(content))
    assert graph.circuits.import_file(file).scores == SCORES
    graph.circuits.delete("a")
    again = graph.circuits.import_file(file)
    assert same(again, circuit)
    assert (again.name, again.scores) == ("a", SCORES)
    assert graph.circuits.import_file(file, name="b").name == "b"
    assert store.execute(NODES) == [{"n": 2}]


@pytest.mark.slow
def test_a_renamed_circuit_is_what_it_was(graph: queries.Graph, store: GraphStore) -> None:
    circuit = graph.circuit(target="layer/3/1", min_share=0.1)
    graph.circuits.save(dataclasses.replace(circuit, scores=SCORES), "a")
    graph.circuits.save(graph.circuit_of(graph.interactions(limit=1)), "taken")
    (before,) = (row for row in graph.circuits.table().records() if row["name"] == "a")
    found = graph.circuits.rename("a", "it's > b")
    assert same(found, circuit)
    assert (found.name, found.scores) == ("it's > b", SCORES)
    rows = {row["name"]: row for row in graph.circuits.table().records()}
    assert sorted(rows) == ["it's > b", "taken"]
    assert rows["it's > b"] == {**before, "name": "it's > b"}
    assert store.execute(NODES) == [{"n": 2}]
    with pytest.raises(NotFoundError, match=r"Circuit 'a' not found"):
        graph.circuits.rename("a", "c")
    with pytest.raises(ConflictError, match=r"another circuit 'taken' of run .* Choose another"):
        graph.circuits.rename("it's > b", "taken")
    with pytest.raises(UsageError, match="name of a circuit is empty"):
        graph.circuits.rename("taken", " ")
    assert graph.circuits.rename("taken", "taken").name == "taken"
    assert sorted(graph.circuits.table().frame["name"]) == ["it's > b", "taken"]
    graph.circuits.save(circuit, "a")  # the name is free
    graph.circuits.delete("it's > b")
    assert same(graph.circuits.load("a"), circuit)


def test_a_circuit_that_is_deleted_before_it_is_renamed(
    graph: queries.Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph.circuits.save(graph.circuit_of(graph.interactions(limit=1)), "gone")

    def deleted(circuits: SavedCircuits, name: str) -> None:
        monkeypatch.undo()
        circuits.delete(name)

    monkeypatch.setattr(SavedCircuits, "_check_known", deleted)
    with pytest.raises(ConflictError, match=r"'gone' of run \w+ was deleted meanwhile\. List"):
        graph.circuits.rename("gone", "new")
    assert graph.circuits.table().records() == []


@pytest.mark.slow
def test_circuits_are_compared_by_what_they_have_in_common(graph: queries.Graph) -> None:
    found = {k: graph.circuit_of(graph.paths(k=k)) for k in (1, 4, 9)}
    found[0] = graph.circuit(target="layer/3/2", min_share=0.2)
    for name, circuit in found.items():
        graph.circuits.save(circuit, str(name))
    comparison = graph.circuits.compare(["1", "9", "0", "9"])
    assert [row["name"] for row in comparison.circuits.records()] == ["0", "1", "9"]
    rows = comparison.to_pandas().to_dict("records")
    assert [(row["first"], row["second"]) for row in rows] == [("1", "9"), ("1", "0"), ("9", "0")]
    for row in rows:
        one, other = found[int(row["first"])], found[int(row["second"])]
        features = set(one.features["id"]), set(other.features["id"])
        pairs = set(one.pairs()), set(other.pairs())
        for name, (a, b) in (("features", features), ("interactions", pairs)):
            assert row[name] == len(a & b)
            assert row[f"{name}_jaccard"] == pytest.approx(len(a & b) / len(a | b))
        assert (row["only_first"], row["only_second"]) == (
            len(pairs[0] - pairs[1]), len(pairs[1] - pairs[0]),
        )  # fmt: skip


@pytest.mark.slow
def test_deleting_a_circuit_leaves_the_rest_and_deleting_a_run_its_circuits(
    graph: queries.Graph, store: GraphStore
) -> None:
    before = undated(dump(store))
    graph.circuits.save(graph.circuit(target="layer/3/1", min_share=0.1), "a")
    graph.circuits.delete("a")
    assert undated(dump(store)) == before
    graph.circuits.save(graph.circuit(target="layer/3/1", min_share=0.1), "a")
    ingest.delete(RUN, store)
    assert dump(store) == ([], [])


@pytest.mark.slow
def test_a_circuit_of_another_run_or_a_changed_graph_is_refused(
    graph: queries.Graph, store: GraphStore, tmp_path: Path
) -> None:
    circuit = graph.circuits.save(graph.circuit(target="layer/3/1", min_share=0.1), "a")
    circuit.save(tmp_path / "a.json")
    ingest.load(random_run(tmp_path / "other", run_id=OTHER, seed=1), store)
    other = queries.open_graph(store, OTHER)
    for refused in (
        lambda: other.circuits.save(circuit, "a"),
        lambda: other.circuits.import_file(tmp_path / "a.json"),
    ):
        with pytest.raises(ConflictError, match=rf"is of run {RUN}, and this is run {OTHER}"):
            refused()
    source, target = circuit.pairs()[0]
    store.write(
        "MATCH (:Feature {id: $source})-[r:INTERACTS]->(:Feature {id: $target}) DELETE r",
        {"source": source, "target": target},
    )
    graph.circuits.delete("a")
    with pytest.raises(ConflictError, match=rf"does not have 1 of the \d+ .* {source} > {target}"):
        graph.circuits.import_file(tmp_path / "a.json")
    content = circuit.json_value()
    store.write(
        "CREATE (:Circuit {id: $id, run: $run, name: 'a', query: '{}', interactions: $pairs})",
        {"id": f"{RUN}/a", "run": RUN, "pairs": [f"{source}>{target}"]},
    )
    with pytest.raises(ConflictError, match="does not have 1 of the 1"):
        graph.circuits.load("a")
    assert content["run"] == RUN


def test_mistakes_are_one_clear_line(graph: queries.Graph, tmp_path: Path) -> None:
    circuit = graph.circuits.save(graph.circuit(target="layer/3/1", min_share=0.1), "five")
    empty = graph.circuit(target="layer/3/1", min_share=1.0)
    file = tmp_path / "file.json"
    for act, says in (
        (lambda: graph.circuits.save(empty, "none"), "empty"),
        (lambda: graph.circuits.save(circuit, " "), "The name of a circuit is empty"),
        (lambda: graph.circuits.load("fife"), "Closest: 'five'"),
        (lambda: graph.circuits.delete("fife"), "Closest: 'five'"),
        (lambda: graph.circuits.compare(["five"]), "Name two or more"),
        (lambda: graph.circuits.compare(["five", "fife"]), "Closest: 'five'"),
        (lambda: graph.circuits.import_file(file), "cannot be read: No such file"),
    ):
        with pytest.raises((UsageError, NotFoundError), match=says):
            act()
    for content, says in (
        ("{", "no circuit"),
        ("[]", "no circuit"),
        (json.dumps({**circuit.json_value(), "score": "high"}), r"no circuit \(score"),
        (json.dumps({**circuit.json_value(), "interactions": [{"source": "a"}]}), "interactions.0"),
        (json.dumps({**circuit.json_value(), "name": None}), "--name"),
    ):
        file.write_text(content)
        with pytest.raises(UsageError, match=says) as error:
            graph.circuits.import_file(file)
        assert "\n" not in str(error.value)


@pytest.mark.slow
def test_the_verbs(graph: queries.Graph, store_target: str, cli: Cli, tmp_path: Path) -> None:
    at = ("--store", store_target)
    assert "There is no saved circuit" in cli("circuits", *at).out
    found = graph.grow_circuit(target="layer/3/1", size=9)
    saved = cli("circuit", "--target", "layer/3/1", "--size", 9, "--save", "nine", *at)
    assert f"{len(found.features)} features and {len(found)} interactions. Not tested" in saved.out
    assert "lib-graph ablate RUN circuit" in saved.out
    assert same(graph.circuits.load("nine"), found)
    paths = json.loads(cli("circuit", "--target", "layer/3/1", "-k", 4, "--json", *at).out)
    expected = graph.circuit_of(graph.paths(target="layer/3/1", k=4))
    assert paths == json.loads(json.dumps(expected.json_value()))
    taken = cli("circuit", "--target", "layer/3/2", "--save", "nine", *at)
    assert (taken.code, taken.out) == (4, "")
    assert cli("circuit", "--target", "layer/3/2", "--save", "nine", "--replace", *at).code == 0
    both = cli("circuit", "--target", "layer/3/2", "-k", 3, "--size", 3, *at)
    assert (both.code, both.err.count("\n")) == (2, 1)

    file = tmp_path / "nine.json"
    assert cli("circuits", "export", "nine", "--out", file, *at).code == 0
    file.write_text(json.dumps({**json.loads(file.read_text()), **dataclasses.asdict(SCORES)}))
    imported = cli("circuits", "import", file, *at)
    numbers = "Accuracy of the circuit alone 0.75, of the whole network 1, of random circuits of"
    assert numbers in imported.out
    assert numbers in cli("circuits", "show", "nine", *at).out
    assert json.loads(cli("circuits", "show", "nine", "--json", *at).out) == json.loads(
        file.read_text()
    )
    cli("circuits", "import", file, "--name", "again", *at)
    listed = json.loads(cli("circuits", "list", "--json", *at).out)
    assert [(row["name"], row["score"]) for row in listed] == [("again", 0.75), ("nine", 0.75)]
    compared = cli("circuits", "compare", "nine", "again", *at).out
    assert compared.count("0.125") == 2
    pairs = json.loads(cli("circuits", "compare", "nine", "again", "--json", *at).out)["pairs"]
    assert pairs[0]["interactions_jaccard"] == 1.0
    assert cli("circuits", "delete", "nine", *at).code == 0
    renamed = cli("circuits", "rename", "again", "a b", *at)
    assert renamed.out == f"The circuit 'again' of run {RUN} is 'a b' now.\n"
    assert [row["name"] for row in graph.circuits.table().records()] == ["a b"]


@pytest.mark.parametrize(
    "verb", ["list", "show", "compare", "export", "import", "rename", "delete"]
)
def test_help_has_an_example(cli: Cli, verb: str) -> None:
    answer = cli("circuits", verb, "--help")
    assert answer.code == 0
    assert f"lib-graph circuits {verb}" in answer.out.partition("Options:")[0].partition("\n\n")[2]
