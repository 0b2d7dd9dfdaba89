"""The verb of modules: communities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from lib_graph.cli.commands import command
from lib_graph.errors import UsageError
from lib_graph.support import defaults
from lib_graph.support.texts import counted
from queries.cli.options import AnswerOutput, engine_option, output_options, run_options

if TYPE_CHECKING:
    from queries.asking.projecting import Engine

__all__ = ["communities", "parse_resolutions"]

MOST = 1000  # resolutions in one range


@command(short_help="Find modules: Leiden or Louvain.")
@run_options
@click.option(
    "--method", type=click.Choice(["leiden", "louvain"]), default=defaults.METHOD, show_default=True
)
@click.option(
    "--weights",
    type=click.Choice(["sqrt", "log"]),
    default=defaults.WEIGHTS,
    show_default=True,
    help="√strength, or log10 of it over the least that an ablation keeps.",
)
@click.option(
    "--resolution",
    "resolutions",
    multiple=True,
    default=[f"{defaults.RESOLUTION:g}"],
    show_default=True,
    metavar="R",
    help="Larger: more modules. Repeatable, or a range FROM:TO:STEP.",
)
@click.option(
    "--seed", default=defaults.SEED, show_default=True, help="The same seed gives the same modules."
)
@click.option("--seeds", type=int, metavar="N",
              help=f"How well N seeds agree. [default: {defaults.SEEDS} for a table]")  # fmt: skip
@click.option(
    "--null",
    type=int,
    metavar="N",
    help=f"Q of N graphs without modules. [default: {defaults.SHUFFLED} for a table]",
)
@engine_option
@click.option("--graph", "as_graph", is_flag=True, help="Show what flows between the modules.")
@click.option(
    "--write",
    is_flag=True,
    help="Store them as (:Community), in place of those found in the same way.",
)
@output_options
def communities(
    store: str | None,
    run: str | None,
    resolutions: tuple[str, ...],
    seeds: int | None,
    null: int | None,
    as_graph: bool,
    write: bool,
    engine: Engine,
    output: AnswerOutput,
    **options: Any,
) -> None:
    """Find modules: groups of features that interact more than by chance.

    Q stands beside what graphs without modules get, unless the run has more than 100,000
    interactions: there --null asks for it.

    With several resolutions, --seeds or --null there is a table instead, a row per resolution: Q,
    the Q that graphs without modules get, how well seeds agree, sizes, and how well modules fit the
    labels.

    \b
    lib-graph communities
    lib-graph communities --method louvain --resolution 2 --write
    lib-graph communities --resolution 0.5:2:0.25
    lib-graph communities --graph
    """  # noqa: D301  \b is click's mark
    from queries.graph import open_graph
    from queries.views.modules import communities_view, module_flow_view, module_table_view

    values = [value for text in resolutions for value in parse_resolutions(text)]
    many = len(values) > 1 or seeds is not None or null is not None
    if many and (write or as_graph):
        raise UsageError("--write and --graph are of one partition. Give one --resolution alone.")
    if many and engine != "own":
        raise UsageError("--engine gds finds one partition. Give one --resolution alone.")
    with open_graph(store, run) as graph:
        if many:
            options["seeds"] = defaults.SEEDS if seeds is None else seeds
            options["null"] = defaults.SHUFFLED if null is None else null
            table = graph.module_table(resolutions=values, **options)
            output.emit(table, module_table_view, graph.run)
            return
        cheap = engine == "own" and not as_graph and graph.run.interactions <= defaults.CHANCE_UP_TO
        found = graph.communities(
            resolution=values[0], null=defaults.SHUFFLED if cheap else 0, engine=engine, **options
        )
        if write:
            graph.save_communities(found)
        if as_graph:
            output.emit(graph.module_flow(found), module_flow_view, graph.run)
        else:
            output.emit(found, communities_view, graph.run)
    if write:
        click.echo(f"Stored {counted(len(found), 'module')} of run {found.run}.", err=True)


def parse_resolutions(text: str) -> list[float]:
    """Return the numbers that a number or a range FROM:TO:STEP stands for, TO included.

    >>> parse_resolutions("0.5:1:0.25"), parse_resolutions("2")
    ([0.5, 0.75, 1.0], [2.0])
    """
    try:
        numbers = [float(part) for part in text.split(":")]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        return numbers
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        raise UsageError(f"{text!r} is no resolution. Write a number, or FROM:TO:STEP.")
    first, last, step = numbers
    count = 1 + math.floor((last - first) / step + 1e-9) if step > 0 else 0
    if not 1 <= count <= MOST:
        raise UsageError(f"The range {text!r} has {count} numbers. Take 1 to {MOST}.")
    return [round(first + n * step, 12) for n in range(count)]
