"""Every verb that prints rows prints the same ones, in the same order, whatever the output."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pandas as pd
import pytest

import ingest
from lib_graph.building.build import build
from lib_graph.building.options import Options
from lib_graph.run import Run
from lib_graph.support.tables import records_of
from queries.cli.main import VERBS, cli
from queries.graph import open_graph
from tests.own_network import NETWORK
from tests.queries.conftest import Answer
from tests.synthetic import random_matches, random_run

Cli = Callable[..., Answer]
OUTPUTS = {"--json", "--csv", "--parquet"}

# commands of which no table comes: they make something, or show several things in words
NO_ROWS = {
    "upgrade", "compact", "basis", "serve",
    "demo", "train modular-addition", "train mlp", "train dictionary", "build", "examples",
    "feature", "trace", "ablate circuit", "ingest",
    "circuits export", "circuits rename", "circuits delete", "export", "plot", "report", "delete",
}  # fmt: skip


@dataclass(frozen=True)
class Example:
    """Arguments of a command that prints rows, and where in its JSON they are."""

    arguments: str
    rows: str | None = None


# {run}, {other} and {trace} are run ids in a store, {own} and {twin} run folders with a network
IN_A_STORE = {
    "runs": Example("--all"),
    "features": Example("--sort importance"),
    "interactions": Example("--source layer/1 -n 9 --constants"),
    "unusual": Example("--run {trace} --min-share 0.01"),
    "paths": Example("--target layer/3 -k 7"),
    "circuit": Example("--target layer/3 --min-share 0.1", rows="interactions"),
    "circuits list": Example(""),
    "circuits show": Example("one", rows="interactions"),
    "circuits compare": Example("one two three", rows="pairs"),
    "circuits import": Example("{file} --name again --replace", rows="interactions"),
    "communities": Example("", rows="communities"),
    "compare": Example("{run} {other} --null 2", rows="layers"),
    "queries": Example(""),
    "query": Example("hubs --param k=6"),
    "cypher": Example(
        "'MATCH (f:Feature {run: $run}) RETURN f.label AS label, f.importance AS x, f.id AS id "
        "ORDER BY label DESC, id DESC'"
    ),
}
OTHERWISE = {  # what the options of a verb make other tables of
    "communities table": Example("--resolution 0.5:1.5:0.5 --seeds 2 --null 2", rows="resolutions"),
    "communities graph": Example("--graph", rows="flows"),
}
OF_A_FOLDER = {
    "layers": Example("{net}"),
    "degeneracy": Example("{own} --of layers"),
    "ablate nodes": Example("{own} nodes --replace"),
    "ablate edges": Example("{own} edges --replace --delta 0.2"),
    "match": Example("{own} {twin}"),
}
# take longer: comparing/test_reproduction.py, test_language_models.py there; changes by the second:
# doctor/test_doctor.py
ELSEWHERE = {"reproduce modular-addition", "reproduce language-models", "doctor"}


def commands(group: click.Group = cli, above: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield all commands that a person can type, with their names."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{above}{name} ")
        else:
            yield above + name, command


COMMANDS = dict(commands())


def options(command: click.Command) -> set[str]:
    return {name for each in command.params for name in each.opts}


def test_every_command_either_has_rows_and_an_example_here_or_none() -> None:
    assert {name.split()[0] for name in COMMANDS} == set(VERBS)
    with_rows = {*IN_A_STORE, *OF_A_FOLDER, *ELSEWHERE}
    assert with_rows.isdisjoint(NO_ROWS)
    assert with_rows | NO_ROWS == set(COMMANDS)


@pytest.mark.parametrize("name", sorted({*COMMANDS} - NO_ROWS))
def test_what_prints_rows_takes_every_output(name: str) -> None:
    taken = options(COMMANDS[name])
    assert taken >= OUTPUTS
    assert ("--show-cypher" in taken) >= ("--store" in taken)


@pytest.mark.parametrize("name", sorted(NO_ROWS))
def test_what_prints_none_takes_no_table(name: str) -> None:
    assert not options(COMMANDS[name]) & {"--csv", "--parquet"}


def same_rows(cli: Cli, arguments: Sequence[str], file: Path, rows: str | None = None) -> int:
    """Assert that a command prints the same rows as JSON, CSV and Parquet; return how many."""
    answers = [
        cli(*arguments, "-q", *output)
        for output in (["--json"], ["--csv"], ["--parquet", str(file)])
    ]
    assert [answer.code for answer in answers] == [0, 0, 0], answers
    value = json.loads(answers[0].out)
    records = value if rows is None else value[rows]
    header, *lines = csv.reader(io.StringIO(answers[1].out))
    assert header == list(records[0])
    assert lines == [[as_text(value) for value in row.values()] for row in records]
    assert answers[2].out == ""
    read = records_of(pd.read_parquet(file))
    assert json.loads(json.dumps(read, default=lambda array: array.tolist())) == records
    return len(records)


def as_text(value: Any) -> str:
    """Return what CSV has of a value of JSON."""
    if isinstance(value, list | dict):
        return json.dumps(value)
    return "" if value is None else str(value)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A store of two runs that are matched and a trace of the first, which is the newest."""
    folder = tmp_path_factory.mktemp("outputs")
    run = random_run(folder / "run", seed=1, name="run")
    other = random_run(folder / "other", seed=2, name="other")
    random_matches(run, other)
    trace = random_run(folder / "trace", seed=3, base=run.id)
    store = str(folder / "graph.kgl")
    for each in (other, trace, run):
        ingest.load(each, store)
    with open_graph(store, run.id) as graph:
        for name, share in (("one", 0.1), ("two", 0.2), ("three", 0.05)):
            found = graph.circuit(target="layer/3", min_share=share)
            graph.circuits.save(found, name)
        found.save(folder / "circuit.json")
    return {
        "store": store, "run": run.id, "other": other.id, "trace": trace.id,
        "file": str(folder / "circuit.json"),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", [*IN_A_STORE, *OTHERWISE])
def test_rows_out_of_a_store(name: str, places: dict[str, str], cli: Cli, tmp_path: Path) -> None:
    example = {**IN_A_STORE, **OTHERWISE}[name]
    given = shlex.split(example.arguments)
    command = name if name in COMMANDS else name.split()[0]
    arguments = [
        *command.split(),
        *(text if name == "cypher" else text.format_map(places) for text in given),
    ]
    if "--store" in options(COMMANDS[command]):
        arguments += ["--store", places["store"]]
    if "--run" in options(COMMANDS[command]) and "--run" not in arguments:
        arguments += ["--run", places["run"]]
    assert same_rows(cli, arguments, tmp_path / "rows.parquet", example.rows) > 1


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A network of one's own, and its runs in two bases."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "net.py").write_text(NETWORK)
    found = {"net": f"{folder / 'net.py'}:make_model"}
    for name, basis in (("own", "lib"), ("twin", "pca")):
        found[name] = str(folder / name)
        layers = ["0:in", "2:in", "output"]
        build(found["net"], folder / name, Options(basis=basis), layers=layers)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_A_FOLDER)
def test_rows_of_a_folder(name: str, folders: dict[str, str], cli: Cli, tmp_path: Path) -> None:
    verb = name.split()[0]
    arguments = [text.format_map(folders) for text in OF_A_FOLDER[name].arguments.split()]
    assert same_rows(cli, [verb, *arguments], tmp_path / "rows.parquet") > 1
    if verb != "layers":  # which is of a network
        assert f"Run {Run.open(folders['own']).id} (" in cli(verb, *arguments).err
