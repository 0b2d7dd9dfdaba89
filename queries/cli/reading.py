"""The verbs that read a run: runs, features, interactions, paths.

Each opens the store, calls one method of `Graph`, and prints.
"""

from __future__ import annotations

from typing import Any

import click

from lib_graph.cli.commands import command
from lib_graph.support import defaults
from queries.cli.completing import layer_names
from queries.cli.options import (
    AnswerOutput,
    engine_option,
    limit_option,
    min_importance_option,
    min_strength_option,
    output_options,
    run_options,
    source_option,
    store_option,
    target_option,
)

__all__ = ["features", "interactions", "paths", "runs"]


@command(short_help="List the runs in a store.")
@store_option
@click.option("--all", "unfinished", is_flag=True, help="Also runs whose load was cut off.")
@output_options
def runs(store: str | None, unfinished: bool, output: AnswerOutput) -> None:
    """List the runs in a store, the newest first.

    \b
    lib-graph runs
    lib-graph runs --store neo4j://localhost --json
    """  # noqa: D301  \b is click's mark
    from ingest.store.opening import using_store
    from queries.asking.runs import runs_table
    from queries.views.answers import runs_view

    with using_store(store) as opened:
        found = runs_table(opened, unfinished=unfinished)
    output.emit(found, runs_view)


@command(short_help="List the features of a run.")
@run_options
@click.option("--layer", metavar="LAYER", shell_complete=layer_names, help="Only this layer.")
@click.option(
    "--sort",
    type=click.Choice(["index", "importance", "variance"]),
    default=defaults.SORT,
    show_default=True,
    help="By layer and index, or the largest first.",
)
@click.option("-n", "--limit", type=click.IntRange(1), help="At most so many.  [default: all]")
@output_options
def features(store: str | None, run: str | None, output: AnswerOutput, **options: Any) -> None:
    """List the features of a run: role, importance, variance and label.

    \b
    lib-graph features --layer ln2.0 --sort importance -n 10
    """  # noqa: D301  \b is click's mark
    from queries.graph import open_graph
    from queries.views.answers import features_view

    with open_graph(store, run) as graph:
        found = graph.features(**options)
    output.emit(found, features_view, graph.run)


@command(short_help="List the strongest interactions of a run.")
@run_options
@source_option
@target_option
@min_strength_option
@limit_option(defaults.LIMIT)
@click.option("--constants", is_flag=True, help="Also those out of the constant features.")
@output_options
def interactions(store: str | None, run: str | None, output: AnswerOutput, **options: Any) -> None:
    """List the strongest interactions, of a run or out of or into a layer or feature.

    \b
    lib-graph interactions --source ln1.0 -n 50
    lib-graph interactions --target output/5 --json
    """  # noqa: D301  \b is click's mark
    from queries.graph import open_graph
    from queries.views.answers import interactions_view

    with open_graph(store, run) as graph:
        found = graph.interactions(**options)
    output.emit(found, interactions_view, graph.run)


@command(short_help="Find the k strongest paths.")
@run_options
@source_option
@target_option
@click.option("-k", default=defaults.PATHS, show_default=True, help="How many paths.")
@click.option("--distinct", type=click.IntRange(0), metavar="M",
              help="At most M of them through the same interaction; 0: as many as there are. "
              "[default: 1 into a whole layer, 0 into a feature and by GDS]")  # fmt: skip
@min_importance_option
@engine_option
@output_options
def paths(
    store: str | None,
    run: str | None,
    distinct: int | None,
    output: AnswerOutput,
    **options: Any,
) -> None:
    """Find the k strongest paths, exactly. A path's strength is the product of its shares.

    An end that is left out is the first or the last layer as a whole. The strongest paths into a
    whole layer are often one chain that fans out at its end: --distinct leaves that out, and the
    paths are still the strongest of those that keep to it.

    \b
    lib-graph paths
    lib-graph paths --target output/5
    lib-graph paths --source ln1.0/1 --target output/5 -k 3 --show-cypher
    """  # noqa: D301  \b is click's mark
    from queries.graph import open_graph
    from queries.views.answers import paths_view

    with open_graph(store, run) as graph:
        if distinct is None and options["engine"] == "own":
            target = options["target"]
            distinct = int(target is None or graph.place(target).index is None)
        found = graph.paths(**options, distinct=distinct or None)
    output.emit(found, paths_view, graph.run)
