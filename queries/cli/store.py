"""The verbs that take a whole store: cypher and delete."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import click

from lib_graph.cli.commands import command, progress, say_run
from lib_graph.errors import StoreError, UsageError
from queries.cli.options import AnswerOutput, output_options, run_options, store_option

if TYPE_CHECKING:
    import pandas as pd

    from ingest.store import GraphStore
    from ingest.store.protocol import Bounds
    from queries.asking.tables import Table

__all__ = ["cypher", "delete"]

ANY_TIME = 86_400.0  # a day
ANY_ROWS = 2**31


@command(short_help="Run a Cypher text of your own.")
@click.argument("text")
@run_options
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE",
              help="A parameter; VALUE is JSON, else a string. Repeatable.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS",
              help="Stop a text that reads after so long.")  # fmt: skip
@click.option("-n", "--limit", type=click.IntRange(1), help="At most so many rows.")
@click.option("--write", is_flag=True, help="Allow the text to change the store.")
@output_options
def cypher(
    text: str,
    store: str | None,
    run: str | None,
    params: tuple[str, ...],
    timeout: float | None,
    limit: int | None,
    write: bool,
    output: AnswerOutput,
) -> None:
    """Run a Cypher text of your own; it may read only, unless --write.

    A parameter $run that is not given is the id of --run.

    \b
    lib-graph cypher 'MATCH (f:Feature {run: $run}) RETURN f.layer, count(*) AS n'
    lib-graph cypher 'RETURN $k + 1 AS next' --param k=3
    """  # noqa: D301  \b is click's mark
    from ingest.store.opening import using_store
    from ingest.store.protocol import Bounds
    from queries.asking.runs import list_runs, run_meant
    from queries.asking.statements import Statement
    from queries.asking.tables import Table
    from queries.views.answers import table_view

    if write and (timeout, limit) != (None, None):
        raise UsageError("--timeout and --limit are for texts that only read. Leave out --write.")
    parameters = parse_parameters(params)
    with using_store(store) as opened:
        if "run" not in parameters and re.search(r"\$(run\b|`run`)", text):
            chosen = run_meant(list_runs(opened), run)
            parameters = {"run": chosen.id, **parameters}
            say_run(chosen.id, chosen.name, chosen.base)
        if write:
            found = _write(opened, text, parameters)
        else:
            bounds = Bounds(timeout or ANY_TIME, limit or ANY_ROWS)
            frame = _read(opened, text, parameters, bounds)
            found = Table(frame, (Statement(text, parameters),))
    output.emit(found, table_view)


def parse_parameters(pairs: tuple[str, ...], texts: Collection[str] = ()) -> dict[str, Any]:
    """Return NAME=VALUE pairs as parameters: VALUE as JSON where it is, else as a string.

    `texts` are the names whose values are strings whatever they look like: 15e4 may begin an id.

    >>> parse_parameters(("k=3", "name=ln1.0", 'ids=["a"]', "run=15e4"), texts=["run"])
    {'k': 3, 'name': 'ln1.0', 'ids': ['a'], 'run': '15e4'}
    """
    parameters: dict[str, Any] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not (separator and name):
            raise UsageError(f"{pair!r} is not a parameter. Write NAME=VALUE.")
        parameters[name] = value
        if name not in texts:
            with contextlib.suppress(ValueError):
                parameters[name] = json.loads(value)
    return parameters


def _read(store: GraphStore, text: str, parameters: dict[str, Any], bounds: Bounds) -> pd.DataFrame:
    from ingest.store.protocol import WRITES

    try:
        return store.frame(text, parameters, bounds)
    except StoreError as error:
        if str(error) == WRITES:
            raise StoreError(f"{WRITES} --write lets it.") from error
        raise


def _write(store: GraphStore, text: str, parameters: dict[str, Any]) -> Table:
    import pandas as pd

    from queries.asking.statements import Statement
    from queries.asking.tables import Table

    result = store.write(text, parameters)
    changes = ", ".join(f"{name} {n:,}" for name, n in result.counters.items())
    click.echo(f"Changed: {changes or 'nothing'}.", err=True)
    return Table(pd.DataFrame(result.rows), (Statement(text, parameters),))


@command(short_help="Delete a run from a store.")
@click.argument("run")
@store_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(run: str, store: str | None, yes: bool) -> None:
    """Delete RUN (an id, its beginning, or a name) from a store. The run folder stays.

    \b
    lib-graph delete 0123456789ab
    """  # noqa: D301  \b is click's mark
    from ingest import delete as delete_run
    from ingest.store.opening import using_store
    from queries.asking.runs import list_runs, run_meant

    with using_store(store) as opened:
        found = run_meant(list_runs(opened, unfinished=True), run)
        what = f"run {found.id} ({found.name}) from {opened.name}"
        if not (yes or _confirmed(f"Delete {what}?")):
            click.echo("Nothing was deleted.")
            sys.exit(1)
        delete_run(found.id, opened, progress=progress())
    click.echo(f"Deleted {what}.")


def _confirmed(question: str) -> bool:
    try:
        return click.confirm(question)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise UsageError("There is nobody to ask. Give --yes to delete without asking.") from None
