"""The verbs of the library of named queries: queries and query."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lib_graph.cli.commands import command
from queries.cli.completing import query_names
from queries.cli.options import AnswerOutput, output_options, run_options
from queries.cli.store import parse_parameters

if TYPE_CHECKING:
    from lib_graph.support.view import View
    from queries.asking.tables import Table

__all__ = ["queries", "query"]


@command(short_help="List the named queries, or show one.")
@click.argument("name", required=False, shell_complete=query_names)
@output_options
def queries(name: str | None, output: AnswerOutput) -> None:
    """List the named queries, or show what NAME answers, its parameters and its Cypher.

    \b
    lib-graph queries
    lib-graph queries hubs
    """  # noqa: D301  \b is click's mark
    from queries.asking.library import find_query, queries_table
    from queries.views.answers import queries_view

    if name is None:
        output.emit(queries_table(), queries_view)
    else:
        click.echo(find_query(name).text.rstrip())


@command(short_help="Ask one of the named queries.")
@click.argument("name", shell_complete=query_names)
@run_options
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE",
              help="A parameter of the query. Repeatable.")  # fmt: skip
@output_options
def query(
    name: str, store: str | None, run: str | None, params: tuple[str, ...], output: AnswerOutput
) -> None:
    """Ask the query NAME of a run; 'lib-graph queries' lists the names.

    \b
    lib-graph query hubs --param by=degree_out --param k=5
    lib-graph query inputs_of --param feature=output/5
    """  # noqa: D301  \b is click's mark
    from queries.asking.library import find_query
    from queries.asking.parameters import NUMBERS
    from queries.graph import open_graph
    from queries.views.answers import answer_view
    from queries.views.graphs import graphs_view

    found = find_query(name)
    texts = [each.name for each in found.parameters if each.kind not in NUMBERS]
    parameters = parse_parameters(params, texts)
    with open_graph(store, run) as graph:
        answer = graph.query(name, **parameters)

        def view(table: Table) -> View:
            if found.name == "graphs_with":
                return graphs_view(table, found.needs)
            return answer_view(table, graph.run.id, found.needs)

        output.emit(answer, view, graph.run)
