"""`lib-graph examples`."""

from __future__ import annotations

from pathlib import Path

import click

from lib_graph.cli.commands import command, progress
from lib_graph.cli.options import resources
from lib_graph.support import defaults
from lib_graph.support.texts import counted

__all__ = ["examples"]


@command(short_help="Find the inputs on which each feature is largest.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-n", "--count", default=defaults.EXAMPLES, show_default=True, help="How many at either end."
)
@click.option("--replace", is_flag=True, help="Look again although there are others.")
@resources
def examples(run: Path, count: int, replace: bool, memory: int, device: str) -> None:
    """Find the inputs on which each feature of the run folder RUN is largest, and most negative.

    They go into RUN/examples.parquet, and how often each feature takes which values into
    RUN/histograms.parquet; 'lib-graph feature' shows both. The network and its data are loaded
    again from where the build found them. What was interrupted goes on with the same command.

    \b
    lib-graph examples my-run
    lib-graph examples my-run -n 20 --replace
    """  # noqa: D301  \b is click's mark
    from lib_graph.analysis.examples import find_examples
    from lib_graph.run import Run

    opened = Run.open(run)
    found = find_examples(
        opened, count=count, replace=replace, memory=memory, device=device, progress=progress()
    )
    features = counted(found.groupby(["layer", "index"]).ngroups, "feature")
    click.echo(f"{run / 'examples.parquet'}: {counted(len(found), 'example')} of {features}")
