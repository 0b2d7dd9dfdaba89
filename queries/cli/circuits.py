"""The verbs of circuits: `circuit` finds one, `circuits` keeps those that are saved."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lib_graph.cli.commands import command, say_run
from lib_graph.errors import UsageError
from queries.cli.completing import circuit_names
from queries.cli.options import (
    AnswerOutput,
    given,
    min_importance_option,
    min_share_option,
    output_options,
    run_options,
    source_option,
    target_option,
)

if TYPE_CHECKING:
    from queries.circuits.circuit import Circuit
    from queries.graph import Graph

__all__ = ["circuit", "circuits"]

replace_option = click.option(
    "--replace", is_flag=True, help="Take the place of another circuit of this name."
)


@command(short_help="Find the circuit that leads to a place, and save it.")
@run_options
@target_option
@source_option
@min_share_option
@click.option("-k", "--paths", "k", type=int, help="Instead: the union of the K strongest paths.")
@click.option("--size", type=int, help="Instead: grow it to SIZE interactions, path by path.")
@min_importance_option
@click.option("--save", metavar="NAME", help="Keep it in the store under this name.")
@replace_option
@output_options
def circuit(
    store: str | None,
    run: str | None,
    save: str | None,
    replace: bool,
    output: AnswerOutput,
    **options: Any,
) -> None:
    """Find the circuit that leads to a place, in one of three ways.

    By default all features and interactions on some path whose every share is at least
    --min-share. With -k the union of the K strongest paths. With --size it has so many
    interactions: the strongest path, and then always the path that adds most to what flows, per
    interaction. A circuit that leads to one answer, such as output/5, cannot score on accuracy over
    all answers; one that leads to all of them, --target output, can.

    \b
    lib-graph circuit --target output/5
    lib-graph circuit --target output/5 --source ln1.0/1 --min-share 0.02 --json
    lib-graph circuit --target output/5 --size 40 --save five
    """  # noqa: D301  \b is click's mark
    from queries.graph import open_graph
    from queries.views.answers import circuit_view

    if options["target"] is None:
        raise UsageError("A circuit needs an end. Give --target LAYER/INDEX.")
    with open_graph(store, run) as graph:
        found = _find(graph, **options)
        if save is not None:
            found = graph.circuits.save(found, save, replace=replace)
    output.emit(found, circuit_view, graph.run)
    if shortfall := found.query.get("shortfall"):
        click.echo(shortfall, err=True)
    if save is not None:
        click.echo(f"Saved the circuit {save!r} of run {found.run}.", err=True)


def _find(
    graph: Graph, *, min_share: float, k: int | None, size: int | None, **ends: Any
) -> Circuit:
    """Return the circuit that the options ask for."""
    if len(given("min_share", "k", "size")) > 1:
        raise UsageError("--min-share, -k and --size exclude each other. Give one of them.")
    if k is not None:
        return graph.circuit_of(graph.paths(k=k, **ends))
    if size is not None:
        return graph.grow_circuit(size=size, **ends)
    return graph.circuit(min_share=min_share, **ends)


class _Circuits(click.Group):
    """A group whose verb is `list` where none is given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Circuits, context_settings={"help_option_names": ["-h", "--help"]})
def circuits() -> None:
    """List, show, compare, export, import, rename and delete saved circuits.

    \b
    lib-graph circuit --target output/5 --save five
    lib-graph circuits
    lib-graph circuits compare five six
    """  # noqa: D301  \b is click's mark


@command(name="list", short_help="List the saved circuits of a run.")
@run_options
@output_options
def list_circuits(store: str | None, run: str | None, output: AnswerOutput) -> None:
    """List the saved circuits of a run: size, score, and the score of a random circuit.

    \b
    lib-graph circuits list --run my-run --json
    """  # noqa: D301  \b is click's mark
    from queries.graph import open_graph
    from queries.views.answers import circuits_view

    with open_graph(store, run) as graph:
        found = graph.circuits.table()
    view = partial(circuits_view, network=graph.run.prompt is None)
    output.emit(found, view, graph.run)


@command(short_help="Show a saved circuit.")
@click.argument("name", shell_complete=circuit_names)
@run_options
@output_options
def show(name: str, store: str | None, run: str | None, output: AnswerOutput) -> None:
    """Show the interactions of the saved circuit NAME, its size and its scores.

    \b
    lib-graph circuits show five
    """  # noqa: D301  \b is click's mark
    from queries.graph import open_graph
    from queries.views.answers import circuit_view

    with open_graph(store, run) as graph:
        found = graph.circuits.load(name)
    output.emit(found, circuit_view, graph.run)


@command(short_help="Compare saved circuits.")
@click.argument("names", nargs=-1, required=True, shell_complete=circuit_names)
@run_options
@output_options
def compare(
    names: tuple[str, ...], store: str | None, run: str | None, output: AnswerOutput
) -> None:
    """Compare each two of the saved circuits NAMES: what they have in common.

    Jaccard is what both have over what either has: 1 for equal circuits, 0 for disjoint ones.

    \b
    lib-graph circuits compare five six seven
    """  # noqa: D301  \b is click's mark
    from queries.graph import open_graph
    from queries.views.answers import comparison_view

    with open_graph(store, run) as graph:
        found = graph.circuits.compare(names)
    output.emit(found, comparison_view, graph.run)


@command(short_help="Write a saved circuit to a JSON file.")
@click.argument("name", shell_complete=circuit_names)
@run_options
@click.option("--out", metavar="FILE", required=True,
              type=click.Path(path_type=Path, dir_okay=False))  # fmt: skip
def export(name: str, store: str | None, run: str | None, out: Path) -> None:
    """Write the saved circuit NAME to a JSON file, to test it or to take it elsewhere.

    \b
    lib-graph circuits export five --out five.json
    lib-graph ablate RUN circuit five.json --out five.json
    """  # noqa: D301  \b is click's mark
    from queries.graph import open_graph

    with open_graph(store, run) as graph:
        graph.circuits.load(name).save(out)
    click.echo(f"Wrote {out}.", err=True)
    say_run(graph.run.id, graph.run.name, graph.run.base)


@command(name="import", short_help="Save the circuit of a JSON file.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@run_options
@click.option("--name", help="Name of the circuit. [default: its name in FILE]")
@replace_option
@output_options
def import_circuit(
    file: Path, store: str | None, run: str | None, output: AnswerOutput, **options: Any
) -> None:
    """Save the circuit of a JSON file, with the scores that a test has written into it.

    It goes to the run it was found in. A circuit that is saved already gets its scores.

    \b
    lib-graph circuits import five.json
    """  # noqa: D301  \b is click's mark
    from lib_graph.run.circuit import read_circuit
    from queries.graph import open_graph
    from queries.views.answers import circuit_view

    with open_graph(store, run or read_circuit(file).run) as graph:
        found = graph.circuits.import_file(file, **options)
    output.emit(found, circuit_view, graph.run)
    click.echo(f"Saved the circuit {found.name!r} of run {found.run}.", err=True)


@command(short_help="Give a saved circuit another name.")
@click.argument("name", shell_complete=circuit_names)
@click.argument("new")
@run_options
def rename(name: str, new: str, store: str | None, run: str | None) -> None:
    """Give the saved circuit NAME the name NEW; its scores stay.

    \b
    lib-graph circuits rename five "the sum is 5"
    """  # noqa: D301  \b is click's mark
    from queries.graph import open_graph

    with open_graph(store, run) as graph:
        graph.circuits.rename(name, new)
        click.echo(f"The circuit {name!r} of run {graph.run.id} is {new!r} now.")


@command(short_help="Delete a saved circuit.")
@click.argument("name", shell_complete=circuit_names)
@run_options
def delete(name: str, store: str | None, run: str | None) -> None:
    """Delete the saved circuit NAME; its features stay.

    \b
    lib-graph circuits delete five
    """  # noqa: D301  \b is click's mark
    from queries.graph import open_graph

    with open_graph(store, run) as graph:
        graph.circuits.delete(name)
        click.echo(f"Deleted the circuit {name!r} of run {graph.run.id}.")


for each in (list_circuits, show, compare, export, import_circuit, rename, delete):
    circuits.add_command(each)
