"""The verb that compares one input with the average."""

from __future__ import annotations

from typing import Any

import click

from lib_graph.cli.commands import command
from lib_graph.support import defaults
from queries.cli.options import (
    AnswerOutput,
    limit_option,
    min_share_option,
    output_options,
    run_options,
)

__all__ = ["unusual"]


@command(short_help="Find what one input uses that the average does not.")
@run_options
@click.option("--against", metavar="RUN", help="[default: the run whose features RUN has]")
@min_share_option
@click.option(
    "--min-importance",
    default=defaults.LEAST_TARGET,
    show_default=True,
    help="Leave out targets less important than this, relative to their layer's largest.",
)
@limit_option(defaults.LIMIT)
@output_options
def unusual(store: str | None, run: str | None, output: AnswerOutput, **options: Any) -> None:
    """Find what a run of one input ('lib-graph trace') uses that the average does not.

    Of its interactions with a large enough share, those come first that are stronger than in the
    average by the largest factor. --against holds it against another input over the same features.

    \b
    lib-graph unusual --run 'my-run@17 + 3'
    lib-graph unusual --run 0123456789ab --against ba9876543210
    """  # noqa: D301  \b is click's mark
    from queries.graph import open_graph
    from queries.views.answers import unusual_view

    with open_graph(store, run) as graph:
        found = graph.unusual(**options)
    output.emit(found, unusual_view, graph.run)
