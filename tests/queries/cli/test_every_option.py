"""The same word is the same thing for every verb, and at the shell as in Python."""

from __future__ import annotations

import ast
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import ingest
import lib_graph
import queries
from queries.cli.main import cli as group
from queries.comparing.runs import compare_runs
from tests.queries.conftest import Answer
from tests.synthetic import random_run

ROOT = Path(__file__).parents[3]

# What the same name may differ in, from verb to verb: what is named is of another kind there.
DIFFERING = {
    "--against": {"help", "type", "metavar"},  # a run's folder; a run in a store
    "--count": {"help", "default"},
    "--data": {"help", "type", "metavar"},  # a folder of images; a function; either
    "--delta": {"help", "default", "type", "metavar"},  # of a score; shares of it
    "--draws": {"help", "default"},  # of circuits; of samples
    "--edge-samples": {"help"},  # of a build; of a study of some features
    "--format": {"help", "default"},  # of a place; of bases; of a graph or its rows
    "--json": {"help"},
    "--k": {"help"},  # active features; the same of dictionaries among bases
    "--label": {"help", "metavar"},  # a column; a feature's
    "--layer": {"help"},
    "--layers": {"help"},
    "--limit": {"help", "default", "type"},
    "--min-importance": {"help", "default"},  # of sources and targets; of targets; of ends
    "--name": {"help"},
    "--null": {"help", "default"},
    "--of": {"help", "default", "type"},
    "--out": {"help", "default", "type", "metavar"},
    "--param": {"help"},
    "--replace": {"help"},
    "--resolution": {"help", "default", "type", "metavar"},  # one; several
    "--saved": {"help"},
    "--seed": {"help"},
    "--seeds": {"help", "default"},  # none unless a table is asked for; one
    "--steps": {"help"},  # of a training; of dictionaries among bases
    "--tokens": {"default"},  # of a build; of a study, which makes several
    "--top": {"help"},
    "--write": {"help"},
}

PYTHON: dict[str, Callable[..., Any]] = {
    "ablate circuit": lib_graph.ablate_circuit,
    "ablate edges": lib_graph.ablate_edges,
    "ablate nodes": lib_graph.ablate_nodes,
    "build": lib_graph.Options,
    "circuit": queries.Graph.circuit,
    "communities": queries.Graph.communities,
    "compare": compare_runs,
    "examples": lib_graph.find_examples,
    "features": queries.Graph.features,
    "interactions": queries.Graph.interactions,
    "match": lib_graph.match_runs,
    "paths": queries.Graph.paths,
    "unusual": queries.Graph.unusual,
}


def verbs(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its name, such as 'circuits show'."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for each in command.list_commands(context):
        found = command.get_command(context, each)
        assert found is not None
        yield from verbs(found, f"{name} {each}".strip())


VERBS = dict(verbs(group))


def options() -> Iterator[tuple[str, click.Option]]:
    for verb, command in VERBS.items():
        for each in command.params:
            if isinstance(each, click.Option):
                yield verb, each


def kind(option: click.Option) -> object:
    """Return the type of an option, to be compared."""
    if isinstance(option.type, click.Path):
        return sorted((key, str(value)) for key, value in vars(option.type).items())
    return repr(option.type.to_info_dict())


def test_an_option_is_the_same_for_all_verbs() -> None:
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for _, option in options():
        long = max(option.opts, key=len)
        aspects = {
            "help": option.help, "default": option.default, "type": kind(option),
            "metavar": option.metavar, "short": sorted(option.opts),
        }  # fmt: skip
        for name, value in aspects.items():
            found[long][name].add(repr(value))
    differing = {
        long: {name for name, values in aspects.items() if len(values) > 1}
        for long, aspects in found.items()
    }
    assert {long: names for long, names in differing.items() if names} == DIFFERING


@pytest.mark.parametrize("verb", PYTHON)
def test_python_has_the_defaults_of_the_command_line(verb: str) -> None:
    signature = inspect.signature(PYTHON[verb]).parameters
    both = {
        each.name: (each.default, signature[each.name].default)
        for each in VERBS[verb].params
        if isinstance(each, click.Option) and each.name in signature
        and signature[each.name].default is not inspect.Parameter.empty
        and isinstance(each.default, int | float | str) and each.name != "memory"
    }  # fmt: skip
    assert {name: shell for name, (shell, python) in both.items() if shell != python} == {}
    assert both or verb == "ablate nodes"


def literal(node: ast.expr | None) -> bool:
    """Return whether a default is a number or a text; None, True and '' say nothing."""
    return (
        isinstance(node, ast.Constant)
        and not isinstance(node.value, bool)
        and node.value not in (None, "")
    )


def signature_defaults(tree: ast.Module) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield the parameters of public functions and fields of public classes, with defaults."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            plain = [*node.args.posonlyargs, *node.args.args]
            yield from zip(
                (each.arg for each in plain[len(plain) - len(node.args.defaults) :]),
                node.args.defaults,
                strict=True,
            )
            names = (each.arg for each in node.args.kwonlyargs)
            yield from zip(names, node.args.kw_defaults, strict=True)
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Options", "Recipe", "Text")):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield field.target.id, field.value


def option_defaults(tree: ast.Module) -> Iterator[tuple[str, ast.expr | None]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "click.option":
            names = [each.value for each in node.args if isinstance(each, ast.Constant)]
            given = [name for name in names if not name.startswith("-")]
            name = (given or [max(names, key=len)])[0].lstrip("-").replace("-", "_")
            yield from ((name, each.value) for each in node.keywords if each.arg == "default")


@pytest.mark.slow
def test_no_default_is_written_twice() -> None:
    shell: dict[str, bool] = {}
    python: dict[str, list[str]] = defaultdict(list)
    for package in (lib_graph, ingest, queries):
        for path in Path(str(package.__file__)).parent.rglob("*.py"):
            tree = ast.parse(path.read_text())
            for name, value in option_defaults(tree):
                shell[name] = shell.get(name, False) or literal(value)
            for name, value in signature_defaults(tree):
                if literal(value):
                    python[name].append(str(path.relative_to(ROOT)))
    own = {"share"}  # of `synchronised`, which takes none where nobody says otherwise
    assert {name: python[name] for name in shell if name in python and name not in own} == {}
    assert not [name for name, written in shell.items() if written and name in python]
    assert len(shell) > 30


@pytest.mark.parametrize(
    "arguments",
    [
        ["interactions", "--from", "layer/1", "--to", "layer.2/1"],
        ["paths", "--from", "layer.0", "--to", "layer/3/1"],
        ["circuit", "--from", "layer/1", "--to=layer/3/1"],
        ["export", "circuit", "--to", "layer/3/1", "--from", "layer/1", "--format", "csv"],
    ],
)
def test_from_and_to_are_taken_and_their_names_said(
    cli: Callable[..., Answer], tmp_path: Path, arguments: list[str]
) -> None:
    ingest.load(random_run(tmp_path / "run"), tmp_path / "graph.kgl")
    at = ("--store", tmp_path / "graph.kgl")
    renamed = [each.replace("--from", "--source").replace("--to", "--target") for each in arguments]
    old, new = cli(*arguments, *at, "-q"), cli(*renamed, *at, "-q")
    assert (old.code, old.out) == (new.code, new.out) == (0, new.out)
    assert new.out.count("\n") > 1
    assert new.err == ""
    assert sorted(old.err.splitlines()) == [
        "--from is called --source, and was taken as that.",
        "--to is called --target, and was taken as that.",
    ]
    both = cli(*arguments, "--source", "layer.0", *at)
    assert (both.code, both.out) == (2, "")
    assert "--from is --source. Give one of them." in both.err


def test_help_has_one_pair_of_words() -> None:
    for verb, command in VERBS.items():
        text = command.get_help(click.Context(command, **command.context_settings))
        assert "--from" not in text, verb
        assert "--to " not in text, verb
