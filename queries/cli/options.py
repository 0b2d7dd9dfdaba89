"""How a verb prints what a query found, and the Cypher that it ran."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click
from click.core import ParameterSource

from lib_graph.cli.commands import say_run
from lib_graph.cli.output import Output as PlainOutput
from lib_graph.cli.output import output_options as plain_output_options
from lib_graph.errors import UsageError
from lib_graph.support import defaults
from lib_graph.support.view import Rows, View
from queries.cli.completing import layer_names, run_names

if TYPE_CHECKING:
    import pandas as pd

    from queries.asking.runs import RunInfo
    from queries.asking.statements import Statement

__all__ = [
    "AnswerOutput",
    "given",
    "limit_option",
    "min_importance_option",
    "min_share_option",
    "min_strength_option",
    "output_options",
    "print_statements",
    "run_options",
    "saved_option",
    "source_option",
    "store_option",
    "target_option",
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

    def emit(self, answer: A, view: Callable[[A], View], run: RunInfo | None = None) -> None:
        """Print an answer in the way that was asked for; `view` makes its table.

        The run that it is of is named on stderr, and in what programs read.
        """
        if self.show_cypher:
            paste = getattr(answer, "pasted", None)  # what lib-graph itself puts together has none
            print_statements(answer.statements, paste=paste, err=True)
        if run is None:
            self.plain.emit(answer, view)
            return
        say_run(run.id, run.name, run.base)
        self.plain.emit(_OfRun(answer, run.id), lambda _: view(answer))


@dataclass(frozen=True)
class _OfRun:
    """Rows, each with the run that it is of; where the answer is one object, that has it."""

    rows: Rows
    run: str

    def json_value(self) -> Any:
        value = self.rows.json_value()
        if isinstance(value, list):
            return [{"run": self.run, **row} for row in value]
        return {"run": self.run, **value}

    def to_pandas(self) -> pd.DataFrame:
        frame = self.rows.to_pandas()
        if isinstance(self.rows.json_value(), list) and "run" not in frame:
            frame.insert(0, "run", self.run)
        return frame


def print_statements(
    statements: Sequence[Statement], *, paste: Statement | None = None, err: bool = False
) -> None:
    """Print Cypher texts with their parameters, ready for Neo4j Browser.

    The one to paste there, which answers by itself, is marked; it need not be one that ran.
    """
    others = [each for each in statements if each is not paste]
    for number, statement in enumerate(others, 1):
        click.echo(f"// Step {number} of {len(others)}", err=err)
        click.echo(f"{statement.for_browser()}\n", err=err)
    if paste is not None:
        click.echo(f"// Paste this into Neo4j Browser\n{paste.for_browser()}\n", err=err)


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
        click.option(
            "--run",
            metavar="RUN",
            shell_complete=run_names,
            help="Id, its beginning, or name. [default: the newest that is no trace]",
        ),
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


class _Renamed(click.Option):
    """An option that is also known by a former name; who types that is told the name it has now."""

    def __init__(self, *names: Any, former: str, **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self._former = former

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Let the parser take either name."""
        super().add_to_parser(parser, ctx)
        parser.add_option(obj=self, opts=[self._former], dest=self._former, action="store", nargs=1)

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        """Take the value that stands under the former name."""
        if self._former not in opts:
            return super().handle_parse_result(ctx, opts, args)
        if self.name in opts:
            raise UsageError(f"{self._former} is {self.opts[0]}. Give one of them.")
        click.echo(f"{self._former} is called {self.opts[0]}, and was taken as that.", err=True)
        return super().handle_parse_result(ctx, {**opts, str(self.name): opts[self._former]}, args)


source_option = click.option(
    "--source",
    cls=_Renamed,
    former="--from",
    metavar="LAYER[/INDEX]",
    help="Where it starts.",
    shell_complete=layer_names,
)
target_option = click.option(
    "--target",
    cls=_Renamed,
    former="--to",
    metavar="LAYER[/INDEX]",
    help="Where it ends.",
    shell_complete=layer_names,
)
min_share_option = click.option(
    "--min-share",
    default=defaults.MIN_SHARE,
    show_default=True,
    help="Leave out interactions of a smaller share.",
)
saved_option = click.option(
    "--saved", metavar="NAME", help="Of a circuit: one that is saved, in place of --target."
)
min_strength_option = click.option(
    "--min-strength",
    default=defaults.MIN_STRENGTH,
    show_default=True,
    help="Leave out weaker interactions.",
)
min_importance_option = click.option(
    "--min-importance",
    default=defaults.MIN_IMPORTANCE,
    show_default=True,
    help="Of a whole layer, leave out ends less important than this, relative to its largest.",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(["own", "gds"]),
    default=defaults.ENGINE,
    show_default=True,
    help="Who finds it: lib-graph, or the GDS of a Neo4j server that has it.",
)


def limit_option(default: int, help: str = "How many.") -> Callable[[F], F]:
    """Return -n, --limit, with the default of a verb."""
    return click.option("-n", "--limit", default=default, show_default=True, help=help)


def given(*names: str) -> list[str]:
    """Return the options, by their long names, that were typed and not left at their default."""
    context = click.get_current_context()
    return [
        max(parameter.opts, key=len)
        for parameter in context.command.params
        if parameter.name in names
        and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
