"""The verb `lib-graph ingest`."""

from __future__ import annotations

from pathlib import Path

import click

from lib_graph.cli.commands import command, progress

__all__ = ["ingest"]


@command(short_help="Load a run folder into a graph store.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--store",
    metavar="STORE",
    help="A path, an address such as neo4j://localhost, or 'neo4j' for that of NEO4J_URI. "
    "[default: LIB_GRAPH_STORE, else lib-graph.kgl]",
)
@click.option("--replace", is_flag=True, help="Take these numbers if the store has others.")
def ingest(run: Path, store: str | None, replace: bool) -> None:
    """Load the run folder RUN into a graph store.

    A second load changes nothing; one that was cut off goes on where it stopped.

    \b
    lib-graph ingest runs/modular-addition
    lib-graph ingest runs/modular-addition --store neo4j://localhost
    """  # noqa: D301  \b is click's mark
    from ingest.loading import load

    click.echo(str(load(run, store, replace=replace, progress=progress())))
