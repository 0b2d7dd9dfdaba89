"""The verb that writes a run's report."""

from __future__ import annotations

from pathlib import Path

import click

from lib_graph.cli.commands import command, progress, say_run
from queries.cli.options import store_option

__all__ = ["report"]


@command(short_help="Write a run as one HTML page.")
@click.argument("run")
@store_option
@click.option(
    "--out",
    metavar="FILE",
    default="report.html",
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page.",
)
def report(run: str, store: str | None, out: Path) -> None:
    """Write all that is known of RUN as one HTML file, which needs no network and no other file.

    RUN is a run folder, or an id, its beginning or a name in the store. A folder has examples, and
    a store the saved circuits; for both, name the folder and --store. What was not made is named
    with the command that makes it.

    \b
    lib-graph report my-run --out my-run.html
    lib-graph report my-run --store lib-graph.kgl
    lib-graph report modular-addition-lib
    """  # noqa: D301  \b is click's mark
    from lib_graph.run import Run
    from queries.comparing.runs import open_graphs
    from queries.graph import open_graph
    from queries.report import Source, write_report

    folder = Run.open(run) if Path(run).is_dir() else None
    if folder is not None and store is not None:
        with open_graph(store, folder.id) as graph:
            write_report(Source(graph, folder, store), out, progress=progress())
    else:
        with open_graphs([run], store) as (graph,):
            write_report(Source(graph, folder, store), out, progress=progress())
    click.echo(f"Wrote {out}.", err=True)
    say_run(graph.run.id, graph.run.name, graph.run.base)
