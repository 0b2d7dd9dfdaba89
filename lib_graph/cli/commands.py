"""What all verbs of `lib-graph` share: how one is declared, -q, -v and --debug, its progress."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from lib_graph.run import Run
    from lib_graph.support.progress import Progress

__all__ = [
    "Command",
    "Settings",
    "command",
    "progress",
    "say_folder",
    "say_run",
    "shared_options",
]


class Settings:
    """What -q, -v and --debug ask for; one per invocation, on `Context.obj`."""

    quiet = False
    verbose = False
    debug = False


class Command(click.Command):
    """A command with -h, -q, -v and --debug."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context_settings.setdefault("help_option_names", ["-h", "--help"])
        self.params += shared_options()


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
