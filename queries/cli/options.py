"""How a verb prints what a query found, and the Cypher that it ran."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from lib_graph.cli.output import Output as PlainOutput
from lib_graph.cli.output import output_options as plain_output_options
from lib_graph.support.view import Rows, View

if TYPE_CHECKING:
    from queries.asking.statements import Statement

__all__ = [
    "AnswerOutput",
    "from_option",
    "min_importance_option",
    "output_options",
    "print_statements",
    "run_options",
    "store_option",
]

F = TypeVar("F", bound=Callable[..., Any])
A = TypeVar("A", bound="Answer")


class Answer(Rows, Protocol):
    """What a query answers with."""

    @property
    def statements(self) -> Sequence[Statement]:
        """The Cypher that ran."""
        ...


@dataclass(frozen=True)
class AnswerOutput:
    """What the options of a verb ask for."""

    plain: PlainOutput
    show_cypher: bool = False

    def emit(self, answer: A, view: Callable[[A], View]) -> None:
        """Print an answer in the way that was asked for; `view` makes its table."""
        if self.show_cypher:
            print_statements(answer.statements, err=True)
        self.plain.emit(answer, view)


def print_statements(statements: Sequence[Statement], *, err: bool = False) -> None:
    """Print Cypher texts with their parameters, ready for Neo4j Browser."""
    for statement in statements:
        click.echo(statement.for_browser() + "\n", err=err)


def output_options(verb: F) -> F:
    """Give a verb the options of its output, and an `AnswerOutput` as the argument `output`."""

    @wraps(verb)
    def wrapped(*args: Any, output: PlainOutput, show_cypher: bool, **kwargs: Any) -> Any:
        return verb(*args, output=AnswerOutput(output, show_cypher), **kwargs)

    show = click.option("--show-cypher", is_flag=True, help="Print the Cypher that ran, to stderr.")
    return show(plain_output_options(wrapped))  # type: ignore[return-value]


def run_options(verb: F) -> F:
    """Give a verb --store and --run."""
    for option in (
        click.option("--run", metavar="RUN", help="Id, its beginning, or name. [default: newest]"),
        store_option,
    ):
        verb = option(verb)
    return verb


store_option = click.option(
    "--store",
    metavar="STORE",
    help="A path, an address such as neo4j://localhost, or 'neo4j' for that of NEO4J_URI. "
    "[default: LIB_GRAPH_STORE, else lib-graph.kgl]",
)

from_option = click.option("--from", "source", metavar="LAYER[/INDEX]", help="Where it starts.")
min_importance_option = click.option(
    "--min-importance",
    default=1e-6,
    show_default=True,
    help="Of a whole layer, leave out ends less important than this, relative to its largest.",
)
