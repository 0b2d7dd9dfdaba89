"""What all verbs of `lib-graph` share: how one is declared, -q, -v and --debug, its progress."""

from __future__ import annotations

import os
import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from lib_graph.run import Run
    from lib_graph.support.progress import Progress

__all__ = [
    "Command",
    "Settings",
    "command",
    "in_own_process",
    "progress",
    "say_folder",
    "say_next",
    "say_run",
    "shared_options",
]


LONG, EVERY = 2.0, 0.1  # seconds: from which waiting is explained, between two looks
HEAVY = "torch"


class Settings:
    """What -q, -v and --debug ask for; one per invocation, on `Context.obj`.

    `own_process` says that nothing else runs in this process, or will.
    """

    own_process = False
    quiet = False
    verbose = False
    debug = False


class Command(click.Command):
    """A command with -h, -q, -v and --debug, which says what is waited for before it begins."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context_settings.setdefault("help_option_names", ["-h", "--help"])
        self.params += shared_options()

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        if HEAVY in sys.modules or ctx.find_root().ensure_object(Settings).quiet:
            return super().invoke(ctx)
        with _waiting():
            return super().invoke(ctx)


@contextmanager
def _waiting() -> Iterator[None]:
    """Say on stderr that torch is imported, which a verb does first, if it takes LONG seconds."""
    over = threading.Event()

    def watch() -> None:
        start = time.monotonic()
        while not over.wait(EVERY):
            late = time.monotonic() - start > LONG
            if late and _is_importing(HEAVY):
                click.echo(f"Importing {HEAVY}: it is large, and slow the first time.", err=True)
            if late:
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _is_importing(name: str) -> bool:
    """Return whether a module is being imported right now."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return bool(getattr(spec, "_initializing", False))


def shared_options() -> list[click.Option]:
    """Return -q, -v, --debug and --no-color, which mean the same before a verb and after it."""
    return [
        _setting("-q", "--quiet", help="No progress on stderr."),
        _setting("-v", "--verbose", help="Log what is done to stderr."),
        _setting("--debug", help="Show the traceback of an error."),
        _no_color(),
    ]


def _setting(*names: str, help: str) -> click.Option:
    attribute = names[-1].lstrip("-")

    def remember(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if value:
            setattr(context.find_root().ensure_object(Settings), attribute, True)

    return click.Option(names, is_flag=True, expose_value=False, callback=remember, help=help)


def _no_color() -> click.Option:
    def forbid(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if value or os.environ.get("NO_COLOR"):
            context.color = False
            os.environ["NO_COLOR"] = "1"  # which Python's tracebacks look at

    return click.Option(
        ["--no-color"], is_flag=True, expose_value=False, callback=forbid,
        help="Colour nothing, as NO_COLOR does.",
    )  # fmt: skip


def command(**kwargs: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Declare a verb of `lib-graph`, with the options that all verbs share."""
    return click.command(cls=Command, **kwargs)


def say_run(id: str, name: str, base: str | None = None) -> None:
    """Say on stderr, unless that is to be quiet, which run an answer is of."""
    if _settings().quiet:
        return
    what = f", one input over the features of {base}" if base else ""
    click.echo(f"Run {id} ({name}{what})", err=True)


def say_folder(run: Run) -> None:
    """Say on stderr, as `say_run` does, which run folder an answer is of."""
    say_run(run.id, run.manifest.name, run.manifest.base)


def say_next(*commands: Sequence[object]) -> None:
    """Say on stderr, unless that is to be quiet, which commands may come next."""
    if not _settings().quiet:
        lines = (shlex.join(map(str, each)) for each in commands)
        click.echo(f"Next: {', or '.join(lines)}", err=True)


def in_own_process() -> bool:
    """Return whether nothing but this invocation runs in this process, or will."""
    return _settings().own_process


def _settings() -> Settings:
    return click.get_current_context().find_root().ensure_object(Settings)


def progress() -> Progress:
    """Return the progress display that the invocation asked for."""
    from lib_graph.support.progress import SILENT, ConsoleProgress

    settings = _settings()
    if settings.verbose:
        import logging

        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s: %(message)s")
    return SILENT if settings.quiet else ConsoleProgress()
