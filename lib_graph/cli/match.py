"""`lib-graph match`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lib_graph.cli.commands import command, progress, say_folder
from lib_graph.cli.options import resources
from lib_graph.cli.output import Output, output_options
from lib_graph.support import defaults
from lib_graph.support.view import View

if TYPE_CHECKING:
    from lib_graph.run import Run
    from lib_graph.support.tables import Frame

__all__ = ["match"]


@command(short_help="Find the features of two runs that are alike.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("other", type=click.Path(path_type=Path))
@click.option(
    "-n",
    "--count",
    default=defaults.MATCHES,
    show_default=True,
    help="Matches kept of each feature.",
)
@click.option("--replace", is_flag=True, help="Look again although there are matches.")
@resources
@output_options
def match(
    run: Path, other: Path, count: int, replace: bool, memory: int, device: str, output: Output
) -> None:
    """Find which features of the run folder OTHER are like those of RUN, by correlation.

    Both networks run over the data of RUN: two bases of one network, two seeds, or two checkpoints
    of one training. Layers are matched by name. The matches go into both folders, and 'lib-graph
    ingest' brings them into a store; printed is how good they are in each layer.

    \b
    lib-graph match my-run my-run-pca
    lib-graph match seed-0 seed-1 --json
    """  # noqa: D301  \b is click's mark
    from lib_graph.analysis.match import match_runs
    from lib_graph.run import Run
    from lib_graph.run.matches import matches_summary
    from lib_graph.support.tables import Frame

    runs = Run.open(run), Run.open(other)
    found = match_runs(
        *runs, count=count, replace=replace, memory=memory, device=device, progress=progress()
    )
    for each in runs:
        say_folder(each)
    output.emit(Frame(matches_summary(found)), lambda rows: _view(*runs, rows))


def _view(run: Run, other: Run, found: Frame) -> View:
    rows = [
        (
            row["layer"],
            row["run"],
            str(row["features"]),
            f"{row['median']:.3f}",
            f"{row['above_09']:.1%}",
            str(row["mutual"]),
        )
        for row in found.json_value()
    ]
    columns = ("layer", "run", "features", "median |r|", "above 0.9", "mutual")
    one, two = (f"{each.id} ({each.manifest.name})" for each in (run, other))
    return View(
        columns, rows, frozenset(columns) - {"layer", "run"}, frozenset(["layer", "run"]),
        above=f"{one} and {two}, on the data of the first.",
        below="Of the features that vary, |r| of each with the one most like it in the other run.\n"
        "mutual: pairs that are most like each other.",
    )  # fmt: skip
