"""The `lib-graph` command: one group whose verbs are loaded by name when they are used.

Nothing heavy is imported here, so that `lib-graph --help` answers at once. Errors become one line
and an exit code in `main`, and nowhere else.
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import click
from click.shell_completion import CompletionItem

from lib_graph.cli.commands import Settings, shared_options
from lib_graph.errors import LibGraphError, NotFoundError, UsageError

__all__ = ["main"]

# verb -> (module:command, what it does)
VERBS = {
    "demo": ("queries.cli.demo:demo", "Build, load and query the graph of the shipped model."),
    "train": ("lib_graph.cli.train:train", "Train a network that the examples use."),
    "layers": ("lib_graph.cli.layers:layers", "List the points of a network for layers."),
    "build": ("lib_graph.cli.build:build", "Compute features and interactions: a run folder."),
    "examples": (
        "lib_graph.cli.examples:examples",
        "Find the inputs on which each feature is largest.",
    ),
    "feature": ("queries.cli.feature:feature", "Show what a feature is, or label it."),
    "trace": ("lib_graph.cli.trace:trace", "Compute the interactions of one input."),
    "degeneracy": (
        "lib_graph.cli.degeneracy:degeneracy",
        "Ranks, units in step, and free parameters of a run's network.",
    ),
    "ablate": ("queries.cli.ablate:ablate", "Score the network with a part of its graph."),
    "basis": ("lib_graph.cli.basis:basis", "Write a run's bases as other libraries read them."),
    "match": ("lib_graph.cli.match:match", "Find the features of two runs that are alike."),
    "ingest": ("ingest.cli:ingest", "Load a run folder into a graph store."),
    "upgrade": ("ingest.cli:upgrade", "Bring a store of an older lib-graph up to date."),
    "runs": ("queries.cli.reading:runs", "List the runs in a store."),
    "features": ("queries.cli.reading:features", "List the features of a run."),
    "interactions": (
        "queries.cli.reading:interactions",
        "List the strongest interactions of a run.",
    ),
    "unusual": ("queries.cli.unusual:unusual", "Find what one input uses and the average not."),
    "paths": ("queries.cli.reading:paths", "Find the k strongest paths."),
    "circuit": ("queries.cli.circuits:circuit", "Find the circuit that leads to a place."),
    "circuits": ("queries.cli.circuits:circuits", "List, show and compare saved circuits."),
    "communities": ("queries.cli.modules:communities", "Find modules: Leiden or Louvain."),
    "compare": ("queries.cli.compare:compare", "Compare runs: ranks, sparsity, matches, modules."),
    "reproduce": ("queries.cli.reproduce:reproduce", "Print our numbers beside published ones."),
    "queries": ("queries.cli.library:queries", "List the named queries, or show one."),
    "query": ("queries.cli.library:query", "Ask one of the named queries."),
    "cypher": ("queries.cli.store:cypher", "Run a Cypher text of your own."),
    "export": ("queries.cli.files:export", "Write features, interactions or a circuit to a file."),
    "plot": ("queries.cli.files:plot", "Draw a circuit, the strongest paths, or a whole run."),
    "report": ("queries.cli.report:report", "Write a run as one HTML page."),
    "serve": ("queries.cli.serve:serve", "Serve a store: a page to explore it, and an API."),
    "delete": ("queries.cli.store:delete", "Delete a run from a store."),
    "compact": ("ingest.cli:compact", "Give back the space of what was deleted."),
    "doctor": ("queries.cli.doctor:doctor", "Look at a store and this machine."),
}


RESUMED = (
    "demo",
    "build",
    "examples",
    "degeneracy",
    "ablate",
    "match",
    "ingest",
    "reproduce",
    "upgrade",
    "compact",
)  # verbs that go on where they were interrupted
PROGRAM = "lib-graph"
GRACE = 2.0  # seconds


class _Verbs(click.Group):
    """A group that imports a verb's module when the verb is used."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what stands before the verb; an option of the verb there is told where it goes."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            verb = _verb(given)
            if verb is None:
                raise
            at = given.index(verb)
            again = _as_typed([*given[at:], *given[:at]])  # last: a verb may have verbs of its own
            raise UsageError(f"{error.option_name} stands after the verb: {again}") from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS and ctx.resilient_parsing:  # at a tab
            return None
        if cmd_name not in VERBS:
            advice = "List them with 'lib-graph -h'."
            raise NotFoundError("command", cmd_name, VERBS, advice)
        module, name = VERBS[cmd_name][0].split(":")
        found = getattr(importlib.import_module(module), name)
        assert isinstance(found, click.Command)
        return found

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the verbs that begin so, without importing any."""
        verbs = [
            CompletionItem(verb, help=line)
            for verb, (_, line) in VERBS.items()
            if verb.startswith(incomplete)
        ]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])


@click.group(
    cls=_Verbs,
    params=shared_options(),
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "LIB_GRAPH"},
)
@click.version_option(package_name=PROGRAM, prog_name=PROGRAM)
def cli() -> None:
    """Local Interaction Basis graphs of neural networks: build, load, find circuits.

    \b
    lib-graph demo                     see all of it once
    lib-graph build MODEL --out RUN    features and interactions of a model
    lib-graph ingest RUN               into the store (default lib-graph.kgl)
    lib-graph paths --target output/5      the strongest paths to one answer
    """  # noqa: D301  \b is click's mark


def main(arguments: Sequence[str] | None = None, *, own_process: bool = False) -> None:
    """Run `lib-graph` and exit: 0 ok, 1 failed, 2 usage, 3 store, 4 conflict, 130 interrupted.

    `own_process` says that the process is for nothing else.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    settings = Settings()
    settings.own_process = own_process
    with _interruptions() as keyboard:
        try:
            code = cli.main(arguments, prog_name=PROGRAM, standalone_mode=False, obj=settings)
            sys.stdout.flush()
        except BaseException as error:
            if isinstance(error, SystemExit | GeneratorExit):
                raise
            keyboard.heeded = False
            if settings.debug:
                traceback.print_exc()
            code = _report(KeyboardInterrupt() if keyboard.pressed else error, arguments)
    sys.exit(code if isinstance(code, int) else 0)


class _Keyboard:
    """Whether Ctrl-C was pressed, and whether it still ends what is done.

    Some libraries turn the KeyboardInterrupt that it raises into an error of their own; and while
    an error is reported it would only hide that error.
    """

    pressed = False
    heeded = True

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self.pressed = self.pressed or self.heeded
        if self.heeded:
            raise KeyboardInterrupt


@contextmanager
def _interruptions() -> Iterator[_Keyboard]:
    """Yield what is known of Ctrl-C; leave it alone where it is ignored, or somebody else's."""
    keyboard = _Keyboard()
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield keyboard
        return
    signal.signal(signal.SIGINT, keyboard.interrupt)
    try:
        yield keyboard
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _report(error: BaseException, arguments: list[str]) -> int:
    """Print one line about an error to stderr and return the exit code.

    Of the processes that torchrun starts, the first has time to speak before the others, which
    torchrun then ends.
    """
    if os.environ.get("RANK", "0") != "0":
        time.sleep(GRACE)
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, click.Abort | KeyboardInterrupt):
        again = _as_typed(arguments)
        kept = _verb(arguments) in RESUMED
        what = "What was finished is kept. To go on" if kept else "To start again"
        click.echo(f"Interrupted. {what}: {again}", err=True)
        return 130
    if isinstance(error, BrokenPipeError):
        sys.stdout = open("/dev/null", "w")  # noqa: SIM115  the interpreter flushes it at exit
        return 1
    click.echo(f"Error: {_line(error)}", err=True)
    return error.exit_code if isinstance(error, LibGraphError) else 1


def _verb(arguments: Sequence[str]) -> str | None:
    """Return the verb that is asked for, also where options stand before it."""
    return next((each for each in arguments if each in VERBS), None)


def _as_typed(arguments: Sequence[str]) -> str:
    """Return the command with these arguments as a shell takes it, without passwords."""
    return shlex.join([PROGRAM, *map(_without_password, arguments)])


def _without_password(argument: str) -> str:
    """Return an argument with … for the password of an address in it."""
    return re.sub(r"(://[^/:]*):[^/]*@", r"\1:…@", argument)


def _line(error: BaseException) -> str:
    from lib_graph.support.files import FULL

    if isinstance(error, LibGraphError):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno in FULL:
        where = f" while writing {error.filename!r}" if error.filename else ""
        return f"The disk is full{where}. Free some space and run the command again."
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{str(error.filename)!r} cannot be used: {error.strerror}. Name another."
    if isinstance(error, OSError):
        return str(error)
    if isinstance(error, MemoryError):
        return "Out of memory. Give the build a smaller --memory, or fewer samples."
    return (
        f"Unexpected {type(error).__name__}: {' '.join(str(error).split())}. "
        "--debug shows where; please report it."
    )
