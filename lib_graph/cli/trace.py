"""`lib-graph trace`."""

from __future__ import annotations

from pathlib import Path

import click

from lib_graph.cli.commands import command, progress
from lib_graph.cli.options import resources

__all__ = ["trace"]


@command(short_help="Compute the interactions of one input, over the features of a run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--input", "input", required=True, metavar="INPUT",
              help="The number of a sample of the run's data, from 0, or a text.")  # fmt: skip
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The new run folder.")
@click.option("--name", help="What to call the new run.  [default: the run's name and the input]")
@click.option("--replace", is_flag=True, help="Overwrite another run in the folder.")
@resources
def trace(
    run: Path, input: str, out: Path, name: str | None, replace: bool, memory: int, device: str
) -> None:
    """Compute the interactions of one input, over the features of the run folder RUN.

    OUT is a run folder too. When both are in a store, 'lib-graph unusual' says what the input uses
    that the average does not.

    \b
    lib-graph trace my-run --input '17 + 3' --out my-trace
    lib-graph trace my-run --input 250 --out my-trace
    """  # noqa: D301  \b is click's mark
    from lib_graph.analysis.trace import trace as trace_input
    from lib_graph.run import Run

    found = trace_input(
        Run.open(run), out, input, name=name, replace=replace, memory=memory, device=device,
        progress=progress(),
    )  # fmt: skip
    click.echo(f"{out}: run {found.id} ({found.manifest.name}) over the features of run "
               f"{found.manifest.base}")  # fmt: skip
