"""The reference of the command line, docs/command-line.md, made from what `--help` prints.

python -m tools.reference
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from queries.cli.main import cli

__all__ = ["PAGE", "page"]

PAGE = Path(__file__).parents[1] / "docs" / "command-line.md"
HEAD = """\
# The command line

What `lib-graph --help` and `lib-graph VERB --help` print. Exit codes: 0 ok, 1 failed, 2 wrong
usage, 3 the store cannot be reached, 4 there is something else already, or it does not match, 130
interrupted (what was finished is kept). Options may also be set in the environment:
`LIB_GRAPH_VERB_OPTION`, such as `LIB_GRAPH_BUILD_MEMORY=8G`. `--no-color` and
`NO_COLOR` are heeded; coloured are only the steps of `demo`, on a terminal, and, from Python 3.13
on, the traceback of `--debug`. This page is made by `python -m tools.reference`; a test holds it to
the commands.

A tab completes verbs, options, runs, layers, circuits and queries, those of the store that is named
or meant, if it is a file. In `~/.bashrc` (`zsh_source` and `fish_source` are for other shells):

```sh
eval "$(_LIB_GRAPH_COMPLETE=bash_source lib-graph)"
```
"""
WIDTH = 80


def commands(
    command: click.Command, name: str, above: click.Context | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the words of a command and its help, then those of the commands below it."""
    context = click.Context(
        command, above, name, terminal_width=WIDTH, max_content_width=WIDTH,
        **command.context_settings,
    )  # fmt: skip
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            below = command.get_command(context, word)
            assert below is not None
            yield from commands(below, word, context)


def page() -> str:
    """Return the page."""
    parts = [f"## {words}\n\n```text\n{text}\n```\n" for words, text in commands(cli, "lib-graph")]
    return "\n".join([HEAD, *parts])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
