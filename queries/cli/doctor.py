"""The verb that looks whether all is well: doctor."""

from __future__ import annotations

import sys

from lib_graph.cli.commands import command
from queries.cli.options import AnswerOutput, output_options, store_option

__all__ = ["doctor"]


@command(short_help="Look at a store and this machine: what is missing.")
@store_option
@output_options
def doctor(store: str | None, output: AnswerOutput) -> None:
    """Look at a store and at this machine: what is there, what is missing, what to do.

    Of what is lacking it says what that costs. The exit code is 0 also then; it is 1 where
    something is wrong, and 3 where the store cannot be reached.

    \b
    lib-graph doctor
    lib-graph doctor --store neo4j
    """  # noqa: D301  \b is click's mark
    from queries.doctor.examining import examine
    from queries.views.doctor import checkup_view

    found = examine(store)
    output.emit(found, checkup_view)
    sys.exit(found.exit_code)
