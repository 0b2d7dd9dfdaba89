"""The verbs that change a store: `ingest`, `upgrade`, `compact`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lib_graph.cli.commands import command, progress, say_next
from lib_graph.errors import RunError

if TYPE_CHECKING:
    from ingest.loading import LoadReport

__all__ = ["compact", "ingest", "upgrade"]


store_option = click.option(
    "--store",
    metavar="STORE",
    help="A path, an address such as neo4j://localhost, or 'neo4j' for that of NEO4J_URI. "
    "[default: LIB_GRAPH_STORE, else lib-graph.kgl]",
)


@command(short_help="Load a run folder, or attribution graphs, into a graph store.")
@click.argument("run", type=click.Path(path_type=Path))
@store_option
@click.option(
    "--replace",
    is_flag=True,
    help="Take these numbers, or this metadata of a graph, if the store has others.",
)
def ingest(run: Path, store: str | None, replace: bool) -> None:
    """Load the run folder RUN into a graph store.

    A second load changes nothing; one that was cut off goes on where it stopped.

    RUN may also be an attribution graph of circuit-tracer, Neuronpedia and others (a JSON file,
    packed by gzip or not), or a folder of such: each becomes a run of its own. An embedded store
    is written once, behind the last of a folder: one that is cut off before is as it was.

    \b
    lib-graph ingest runs/modular-addition
    lib-graph ingest runs/modular-addition --store neo4j://localhost
    lib-graph ingest graphs/dallas-austin.json
    """  # noqa: D301  \b is click's mark
    from lib_graph.run.folder import is_unfinished

    if not run.exists():
        raise RunError(
            f"There is no {str(run)!r}: no run folder, which 'lib-graph build' makes, and no "
            "attribution graph (a JSON file)."
        )
    if (run / "manifest.json").exists() or is_unfinished(run):
        from ingest.loading import load

        report = load(run, store, replace=replace, progress=progress())
        click.echo(str(report))
        _say_next(report.run_id, store)
        return
    _ingest_graphs(run, store, replace)


def _ingest_graphs(path: Path, store: str | None, replace: bool) -> None:
    """Load graphs, and say below the progress of each that is there what was done."""
    from ingest.graph_loading import graph_files, load_graphs
    from ingest.store.opening import using_store

    graph_files(path)  # before a store is looked for
    reports: list[LoadReport] = []
    with using_store(store) as opened:
        try:
            for report in load_graphs(path, opened, replace=replace, progress=progress()):
                reports.append(report)
        except BaseException as error:
            # files that are no graphs are told in the end; what else ends it undoes an atomic store
            if isinstance(error, RunError) or not opened.capabilities.atomic:
                _print(reports)
            raise
    _print(reports)
    if reports:
        _say_next(reports[-1].run_id, store)


def _print(reports: Sequence[LoadReport]) -> None:
    for report in reports:
        click.echo(str(report))


def _say_next(run: str, store: str | None) -> None:
    """Say how to ask for the run that was loaded last, and how to look at it."""
    at = ("--run", run) if store is None else ("--run", run, "--store", store)
    say_next(["lib-graph", "paths", *at], ["lib-graph", "serve", *at])


@command(short_help="Bring a store of an older lib-graph up to date.")
@store_option
def upgrade(store: str | None) -> None:
    """Bring the runs that an older lib-graph has loaded into a store to the graph of this one.

    One that was cut off goes on where it stopped.

    \b
    lib-graph upgrade --store graph.kgl
    """  # noqa: D301  \b is click's mark
    from ingest.store.opening import using_store
    from ingest.upgrading import upgrade as upgrade_runs

    with using_store(store) as opened:
        done = upgrade_runs(opened, progress=progress())
        what = f"Upgraded run {', '.join(done)}" if done else "Nothing to do: all runs are of today"
        click.echo(f"{what}, in {opened.name}.")


@command(short_help="Give back the space of what was deleted.")
@store_option
def compact(store: str | None) -> None:
    """Write an embedded store anew without the places of what was deleted.

    What it holds stays as it is. One that is cut off leaves the store as it was.

    \b
    lib-graph compact --store graph.kgl
    """  # noqa: D301  \b is click's mark
    from ingest.compacting import compact as compact_store

    click.echo(str(compact_store(store)))
